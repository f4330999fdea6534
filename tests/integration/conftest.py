"""Small projects that the integration tests run, each pipeline both ways of reading its data.

`Bench.run` is the one way in which these tests run a pipeline: on Ray Data and in this process,
into two fresh stores, and the two have to give the same ids. What did the work stands in the
envelopes; it is printed at the end of the session, so that a log of CI shows that Ray Data ran.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import ray

import mlops_ray
from mlops_ray.config.model import SplitConfig
from mlops_ray.data import ray_map
from mlops_ray.data.schema import schema_of
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.pipeline import context
from mlops_ray.pipeline.stages import evaluate, refit, search
from mlops_ray.pipeline.worker import _pinned
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.objective import TrialRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from mlops_ray.pipeline.run import Run
    from mlops_ray.search.agenda import Agenda

SEED = 7
N_ROWS = 420
UNSEEN = "Atlantis"  # A city that stands in test rows only.
WAYS = {"ray_data": 0, "driver": None}  # Engine of the data stages -> in_process_below_bytes.

_SHARES = {"test": {"share": 0.25}, "valid": {"share": 0.25}}
_FEATURES = [
    {"columns": ["age"], "steps": [{"impute": "mean"}, "standardize"]},
    {"columns": ["area", "rooms"], "steps": ["standardize"]},
    {"columns": ["city"], "steps": [{"one_hot": {"min_count": 3}}]},
    {"columns": ["owner"]},
]
_CASES: dict[str, dict[str, Any]] = {
    "xgboost": {
        "objective": {"metric": "roc_auc"},
        "data": {"task": "binary", "target": "sold"},
        "split": _SHARES,
        "model": {"params": {"n_estimators": 8, "subsample": 0.8}},
        "search": {"space": {"learning_rate": {"log_uniform": [0.1, 0.6]}}},
        "gates": [{"metric": "roc_auc", "at_least": 0.6}],
    },
    "hist_gradient_boosting": {
        "objective": {"metric": "log_loss"},
        "data": {"task": "multiclass", "target": "level"},
        "split": _SHARES,
        "model": {"params": {"max_iter": 4, "max_features": 0.7}},
        "search": {"space": {"max_leaf_nodes": {"int": [4, 12]}}},
        "gates": [{"metric": "accuracy", "at_least": 0.4}],
    },
    "linear": {
        "objective": {"metric": "rmse"},
        "data": {"task": "regression", "target": "price", "time": "year"},
        "split": {"test": {"time_from": 2018}, "valid": {"share": 0.25}},
        "model": {"params": {}},
        "search": {"space": {"alpha": {"log_uniform": [0.01, 10.0]}}},
        "gates": [{"metric": "r2", "at_least": 0.5}],
    },
}


def config_of(family: str) -> dict[str, Any]:
    """A pipeline file as a mapping, to be changed at will."""
    case: dict[str, Any] = json.loads(json.dumps(_CASES[family]))
    return {
        "version": 1,
        "name": family,
        "seed": SEED,
        **case,
        "data": {"source": "data", "key": ["id"], **case["data"]},
        "features": json.loads(json.dumps(_FEATURES)),
        "model": {"family": family, **case["model"]},
        "search": {"trials": 3, "generation": 2, **case["search"]},
        "register": {"alias": "challenger"},
    }


def homes(n_rows: int = N_ROWS, seed: int = 11) -> pa.Table:
    """Homes with a number that has nulls, a whole number, a boolean and a text with nulls."""
    rng = np.random.default_rng(seed)
    age, area = rng.gamma(4.0, 9.0, n_rows), rng.normal(95.0, 25.0, n_rows)
    rooms, city = rng.integers(1, 8, n_rows), rng.integers(0, 4, n_rows)
    price = 3.0 * area + 20.0 * rooms - 0.8 * age + 30.0 * city + rng.normal(0, 15, n_rows)
    year = 2015 + np.arange(n_rows) * 4 // n_rows
    names = np.array(["Bern", "Genf", "Zürich", None], dtype=object)[city]
    names[(year == 2018) & (np.arange(n_rows) % 9 == 0)] = UNSEEN
    level = np.digitize(price, np.quantile(price, [0.3, 0.7]))
    return pa.table(
        {
            "id": pa.array(rng.permutation(n_rows) + 1000),
            "year": pa.array(year),
            "age": pa.array(age, mask=rng.random(n_rows) < 0.1),
            "area": pa.array(area),
            "rooms": pa.array(rooms),
            "city": pa.array(names, pa.string()),
            "owner": pa.array(rng.random(n_rows) < 0.5),
            "sold": pa.array(np.where(price > np.median(price), "yes", "no")),
            "level": pa.array(level),
            "price": pa.array(price),
        }
    )


def parts_of(table: pa.Table, config: dict[str, Any]) -> NDArray[np.str_]:
    """The part of each row: train, valid or test."""
    data = config["data"]
    rule = SplitConfig.model_validate(config["split"])
    salt = derive(config["seed"], "split")
    rows = SplitRows(rule, tuple(data["key"]), data.get("time"), salt)
    return np.array(SPLITS)[assign_split(table, schema_of([("", table.schema)]), rows)]


def changed(table: pa.Table, column: str, rows: Any, values: Any) -> pa.Table:
    """A copy with other values in some rows of a column."""
    cells = np.array(table[column].to_pylist(), dtype=object)
    cells[rows] = values
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.array(cells.tolist(), table.schema.field(column).type))


def homes_for(config: dict[str, Any]) -> pa.Table:
    """Homes some of whose test rows, and no others, lie in a city that training never saw."""
    table = homes()
    if "time" in config["data"]:
        return table
    at = np.flatnonzero(parts_of(table, config) == "test")[::6]
    bern = np.flatnonzero([city == UNSEEN for city in table["city"].to_pylist()])
    return changed(changed(table, "city", bern, "Bern"), "city", at, UNSEEN)


@dataclass(frozen=True)
class Pair:
    """One pipeline run both ways, each into a fresh store.

    Attributes:
        bench: Where.
        config: The pipeline file.
        table: Its data.
        runs: Engine of the data stages -> the run.
        projects: Engine of the data stages -> the project with that store.
    """

    bench: Bench
    config: dict[str, Any]
    table: pa.Table
    runs: dict[str, Run] = field(default_factory=dict)
    projects: dict[str, mlops_ray.Project] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """The run on Ray Data."""
        return self.runs["ray_data"]

    @property
    def project(self) -> mlops_ray.Project:
        """The project of the run on Ray Data."""
        return self.projects["ray_data"]

    def outputs(self, stage: str) -> dict[str, str]:
        """Digests of what a stage put out."""
        return next(done.outputs for done in self.run.result.stages if done.name == stage)


class Bench:
    """A folder with a project: data, pipeline files and one store a run.

    Attributes:
        folder: The project's root.
        ledger: Takes a line for each run, for the end of the session.
    """

    def __init__(self, folder: Path, ledger: list[str]) -> None:
        self.folder = folder
        self.ledger = ledger
        self._n_stores = 0
        (folder / "pyproject.toml").touch()

    def write(
        self, table: pa.Table, *, kind: str = "parquet", n_files: int = 3, name: str = "data"
    ) -> Path:
        """Cut a table into files in a folder."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        size = -(-table.num_rows // n_files)
        for number in range(n_files):
            part, path = table.slice(number * size, size), folder / f"part-{number}.{kind}"
            if kind == "csv":
                pa.csv.write_csv(part, path)
            else:
                pq.write_table(part, path, row_group_size=70)
        return folder

    def save(self, config: dict[str, Any]) -> Path:
        """Write a pipeline file; JSON is YAML too."""
        path = self.folder / "pipeline.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def fresh_store(self) -> Path:
        """A folder for a store that nobody has used."""
        self._n_stores += 1
        return self.folder / f"store-{self._n_stores}"

    def pipeline(
        self, config: dict[str, Any], store: Path, registry: Path | None = None
    ) -> mlops_ray.Pipeline:
        """A pipeline with a store, and by default a registry, of its own."""
        registry = registry or store.with_suffix(".db")
        return mlops_ray.Pipeline(self.save(config), store=store, registry=registry)

    def run(
        self,
        config: dict[str, Any],
        table: pa.Table | None = None,
        *,
        on_workers: Sequence[str] = (),
        registry: Path | None = None,
        **cut: Any,
    ) -> Pair:
        """Run a pipeline on Ray Data and in this process; both have to give the same ids.

        Args:
            config: The pipeline file.
            table: Its data; by default `homes_for` it.
            on_workers: Engines of the data stages whose run does trials and fits on Ray workers,
                as for users. Otherwise they run here, in a tenth of the time; where only one of
                the two runs is on workers, equal ids show that this makes no difference.
            registry: A registry for both; by default each has its own.
            cut: How `write` is to cut the table.
        """
        pair = Pair(self, config, homes_for(config) if table is None else table)
        self.write(pair.table, **cut)
        for engine, limit in WAYS.items():
            store = self.fresh_store()
            pipeline = self.pipeline(config, store, registry)
            with ExitStack() as stack:
                if engine not in on_workers:
                    stack.enter_context(_fits_here())
                pair.runs[engine] = pipeline.run(in_process_below_bytes=limit)
            pair.projects[engine] = pipeline.project
        self._compare(pair)
        return pair

    def _compare(self, pair: Pair) -> None:
        first, second = pair.runs.values()
        assert (first.spec_id, first.result_id) == (second.spec_id, second.result_id)
        assert first.state == second.state
        for engine, run in pair.runs.items():
            stages = {stage.name: stage for stage in run.envelope.stages}
            assert [stages[name].engine for name in ("ingest", "features")] == [engine] * 2
            tasks = stages["ingest"].facts.get("tasks")
            units = stages["ingest"].facts["units"]
            assert tasks == (len(ray_map._dealt(units, 2)) if engine == "ray_data" else None)
            self.ledger.append(
                f"{run.result_id[7:19]} {engine:8} {units} units, {tasks or 'no'} Ray Data tasks, "
                f"{run.spec.model.family} on {run.spec.data.inputs[0].format}, {run.state}"
            )


@pytest.fixture
def disorder() -> Callable[[], Any]:
    """A context in which answers come back as if the last unit ended first."""
    return _disorder


@contextmanager
def _disorder() -> Iterator[None]:
    collected = ray_map._collected

    def in_process(fn: Any, units: Any, combine: Any = None) -> list[bytes]:
        return map_in_process(fn, units, combine)[::-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "ThreadMap", lambda _: in_process)
        patch.setattr(ray_map, "_collected", lambda dataset: collected(dataset)[::-1])
        # A task a unit, so that both ways of working have one and the same disorder.
        patch.setattr(ray_map, "_dealt", lambda n, _: [range(at, at + 1) for at in range(n)])
        yield


def _fits_here() -> Any:
    """Trials and fits in this process instead of on Ray workers."""

    def search_here(
        task: Any,
        agenda: Agenda,
        on_step: Callable[[Any], None],
        on_trial: Callable[[Any], None],
        *_others: Any,
    ) -> list[Any]:
        runner = TrialRunner(task)
        while not agenda.is_done:
            for step in agenda.ready():
                record = runner.run(step)
                on_step(record)
                for ended in agenda.tell(record):
                    on_trial(ended)
        return agenda.records

    def work_here(fn: Callable[..., Any], *arguments: Any, threads: int, gpus: int = 0) -> Any:
        assert not gpus
        here = [ray.get(a) if isinstance(a, ray.ObjectRef) else a for a in arguments]
        return _pinned(fn, threads, *here)

    stack = ExitStack()
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(search, "run_search", search_here)
    for stage in (refit, evaluate):
        patch.setattr(stage, "on_worker", work_here)
    return stack


@pytest.fixture(scope="session")
def fits_here() -> Callable[[], Any]:
    """Gives a block in which trials and fits run in this process instead of on Ray workers."""
    return _fits_here


@pytest.fixture(scope="session")
def ledger() -> list[str]:
    """Takes a line for each run."""
    return []


@pytest.fixture(autouse=True)
def _tell_what_read_the_data(
    ledger: list[str], record_property: Callable[[str, object], None]
) -> Iterator[None]:
    """Hand the lines on with the report of the test, which may run in another process."""
    yield
    for line in ledger:
        record_property("what read the data", re.sub(r"\s+$", "", line))
    ledger.clear()


@pytest.fixture(scope="session")
def new_bench(
    tmp_path_factory: pytest.TempPathFactory,
    ledger: list[str],
    ray_cluster: None,  # noqa: ARG001 - runs on it
) -> Callable[[], Bench]:
    """Makes an empty project, on the session's cluster."""
    return lambda: Bench(tmp_path_factory.mktemp("bench"), ledger)


@pytest.fixture
def bench(new_bench: Callable[[], Bench]) -> Bench:
    """An empty project."""
    return new_bench()


@pytest.fixture(scope="session")
def pair_of(new_bench: Callable[[], Bench]) -> Callable[[str], Pair]:
    """The runs of a family, the one on Ray Data with everything on Ray, made once a session."""
    made: dict[str, Pair] = {}

    def pair(family: str) -> Pair:
        if family not in made:
            kind = "csv" if family == "hist_gradient_boosting" else "parquet"
            on_workers = tuple(WAYS) if family == "xgboost" else ("ray_data",)
            made[family] = new_bench().run(config_of(family), on_workers=on_workers, kind=kind)
        return made[family]

    return pair


@pytest.fixture(params=list(_CASES))
def case(request: pytest.FixtureRequest, pair_of: Callable[[str], Pair]) -> Pair:
    """Each family with a task, a split and a format of its own, everything on Ray."""
    return pair_of(request.param)


@pytest.fixture
def binary(pair_of: Callable[[str], Pair]) -> Pair:
    """The case of XGBoost."""
    return pair_of("xgboost")


@pytest.fixture(scope="session")
def tables() -> Any:
    """The functions of this file that make and part tables."""
    return _Tables


class _Tables:
    config_of = staticmethod(config_of)
    homes = staticmethod(homes)
    homes_for = staticmethod(homes_for)
    parts_of = staticmethod(parts_of)
    changed = staticmethod(changed)
    UNSEEN = UNSEEN


@dataclass(frozen=True)
class Process:
    """`mlops-ray run` in a process of its own, with a cluster of one CPU, and what it left.

    Attributes:
        done: The ended process.
        store: Its store.
        ray_folder: Where Ray kept its session, logs and all.
        secret: What stood in its environment and may be nowhere else.
    """

    done: subprocess.CompletedProcess[str]
    store: Path
    ray_folder: Path
    secret: str


@pytest.fixture(scope="session")
def one_cpu(pair_of: Callable[[str], Pair]) -> Iterator[Process]:
    """The case of XGBoost on one CPU, read by Ray Data."""
    pair, secret = pair_of("xgboost"), "s3cr3t-" + "7f" * 12
    pair.bench.write(pair.table)
    store = pair.bench.fresh_store()
    command = [sys.executable, "-m", "mlops_ray", "run", str(pair.bench.save(pair.config))]
    options = ["--num-cpus", "1", "--json", "--store", str(store)]
    with tempfile.TemporaryDirectory(prefix="mr", dir="/tmp") as folder:  # Ray wants short paths.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLOPS_RAY_")}
        done = subprocess.run(
            [*command, *options, "--registry", str(store.with_suffix(".db"))],
            env={
                **environment,
                "MLOPS_RAY_IN_PROCESS_BELOW_BYTES": "0",
                "RAY_TMPDIR": folder,
                "AWS_SECRET_ACCESS_KEY": secret,
                "DATABASE_URL": f"postgresql://ann:{secret}@db/models",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        yield Process(done, store, Path(folder), secret)
