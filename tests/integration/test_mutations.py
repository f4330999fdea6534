"""Change one thing itself, never its record: each command names that thing, and no other.

Each mutation stands beside the unmutated twin that it was copied from, of which `plan` says that
there is nothing to do, `verify` that it is whole and `runs diff` that nothing differs. What
`reproduce` says of a mutation stands in `test_reproduce.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import mlops_ray
from mlops_ray.cli.diff import diff
from mlops_ray.cli.plan import plan
from mlops_ray.manifest import StageRecord
from mlops_ray.pipeline import reproduce
from mlops_ray.pipeline.declared import STAGE_NAMES
from mlops_ray.pipeline.run import load_run

pytestmark = [pytest.mark.ray, pytest.mark.slow]

PACKAGE = Path(mlops_ray.__file__).parent
CONSEQUENCES = {"search", "metrics", "model"}
PART = "data/part-1.parquet"


@dataclass(frozen=True)
class Copy:
    """A project with its store after one run, and how to ask for it.

    Attributes:
        folder: The project.
        path: What stands first on PYTHONPATH.
        run: Id of its first run.
    """

    folder: Path
    path: str
    run: str

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLOPS_RAY_", "RAY_ADD"))}
        path = os.pathsep.join(filter(None, [self.path, kept.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-P", "-m", "mlops_ray", *arguments],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def content(self, *arguments: str, code: int = 0) -> dict:
        done = self.command(*arguments, "--json")
        assert done.returncode == code, done
        return json.loads(done.stdout)

    @property
    def records(self) -> mlops_ray.Records:
        return mlops_ray.Records(self.folder, **self.places)

    @property
    def pipeline(self) -> mlops_ray.Pipeline:
        return mlops_ray.Pipeline(self.folder / "pipeline.yaml", **self.places)

    @property
    def places(self) -> dict[str, Path]:
        folder = self.folder / ".mlops_ray"
        return {"store": folder / "store", "registry": folder / "registry.db"}

    def plan(self) -> Planned:
        """What would run; asked in a process of its own where that has another engine."""
        if self.path:
            found = self.content("plan", "pipeline.yaml")
        else:
            found = self.pipeline.plan().to_json()
        because = {
            stage["name"]: [(r["kind"], r["what"]) for r in stage["because"]]
            for stage in found["stages"]
            if stage["action"] == "run"
        }
        return Planned(found["spec_id"], because)

    def differs(self, other: str) -> dict[str, dict]:
        """Members that differ between the first run and another, without those that follow."""
        found = self.records.diff(self.run, other).to_json()["differs"]
        assert set(found) == {"data", "code", "environment", "config", "features", *CONSEQUENCES}
        return {member: what for member, what in found.items() if what}

    def declared(self) -> dict:
        return json.loads((self.folder / "pipeline.yaml").read_text())

    def save(self, config: dict) -> None:
        (self.folder / "pipeline.yaml").write_text(json.dumps(config))

    def run_here(self, fits_here) -> tuple[mlops_ray.Run, set[str]]:
        """Run in this process; returns the run and the stages that were computed."""
        with fits_here():
            run = self.pipeline.run()
        return run, {s.name for s in run.envelope.stages if s.cache == "miss"}

    def run_elsewhere(self) -> tuple[dict, set[str]]:
        """Run in a process of its own, as users do."""
        done = self.content("run", "pipeline.yaml", "--num-cpus", "1")
        return done, {s["name"] for s in done["stages"] if s["cache"] == "miss"}


@dataclass(frozen=True)
class Planned:
    """What `plan` said: the spec, and for each stage that would run why."""

    spec_id: str
    because: dict[str, list[tuple[str, str]]]

    @property
    def own(self) -> set[tuple[str, str]]:
        """All reasons but that another stage comes before."""
        return {r for reasons in self.because.values() for r in reasons if r[0] != "stage"}


@pytest.fixture(scope="module")
def first(new_bench, fits_here, tables) -> Copy:
    """A project after its first run."""
    bench = new_bench()
    config = tables.config_of("xgboost")
    bench.write(tables.homes_for(config))
    bench.save(config)
    (bench.folder / "README.md").write_text("# Homes\n")
    (bench.folder / "homes.py").write_text("LIMIT = 3\n")
    copy = Copy(bench.folder, "", "latest")
    run, computed = copy.run_here(fits_here)
    assert computed == set(STAGE_NAMES)
    return replace(copy, run=run.run_id)


@pytest.fixture
def copy(first, tmp_path) -> Copy:
    """A copy of it, to be changed; its twin is `first`."""
    shutil.copytree(first.folder, tmp_path / "p", copy_function=shutil.copy2)
    return replace(first, folder=tmp_path / "p")


@pytest.fixture
def own_engine(first, tmp_path) -> Copy:
    """A copy whose processes import an engine of its own, not yet changed."""
    folder = tmp_path / "own"
    shutil.copytree(first.folder, folder, copy_function=shutil.copy2)
    engine = folder / "mlops_ray"
    shutil.copytree(PACKAGE, engine, ignore=shutil.ignore_patterns("__pycache__"))
    return replace(first, folder=folder, path=str(folder))


def test_of_the_unmutated_twin_nothing_is_named(copy, own_engine, fits_here):
    for twin in (copy, own_engine):
        assert twin.plan().because == {}
    assert "nothing to do" in own_engine.command("plan", "pipeline.yaml").stderr
    assert own_engine.content("verify", "latest")["ok"]
    run, computed = copy.run_here(fits_here)

    assert computed == set()
    assert run.spec_id == copy.plan().spec_id
    assert copy.differs(run.run_id) == {}
    assert copy.command("runs", "diff", copy.run, run.run_id).stdout == "the runs do not differ\n"


def _another_row(copy):
    table = pq.read_table(copy.folder / PART)
    areas = table["area"].to_pylist()
    areas[7] += 1.0
    at = table.column_names.index("area")
    pq.write_table(table.set_column(at, "area", [areas]), copy.folder / PART, row_group_size=70)


def _another_order(copy):
    table = pq.read_table(copy.folder / PART)
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    pq.write_table(shuffled, copy.folder / PART, row_group_size=70)


def _one_byte(copy):
    """The last letter of who wrote the file: a byte of it that no row is made of."""
    data = (copy.folder / PART).read_bytes()
    at = data.rindex(b"parquet-cpp-arrow")
    (copy.folder / PART).write_bytes(data[:at] + b"P" + data[at + 1 :])


def _another_seed(copy):
    copy.save({**copy.declared(), "seed": 8})


def _more_trials(copy):
    config = copy.declared()
    copy.save({**config, "search": {**config["search"], "trials": 4}})


def _another_step(copy):
    config = copy.declared()
    config["features"][1]["steps"] = [{"impute": "mean"}, "standardize"]
    copy.save(config)


ALL = set(STAGE_NAMES)
FROM_SEARCH = {"search", "refit", "evaluate", "gate"}
READ_ROWS = ["inputs.part-1.parquet"]
CASES = {
    # What is changed -> how, what plan names, what may run, the member that differs, what of it.
    "a row": (_another_row, ("data", "part-1.parquet"), ALL, "data", "fingerprint"),
    "the row order": (
        _another_order,
        ("data", "part-1.parquet"),
        {"ingest", "features", *FROM_SEARCH},
        "data",
        "inputs.part-1.parquet",
    ),
    "one byte": (
        _one_byte,
        ("data", "part-1.parquet"),
        {"ingest", "features", "evaluate"},
        "data",
        "inputs.part-1.parquet",
    ),
    "the seed": (_another_seed, ("config", "seed"), ALL, "config", "seed"),
    "a declaration": (
        _more_trials,
        ("config", "search.trials"),
        {"search", "refit", "evaluate", "gate"},
        "config",
        "search.trials",
    ),
    "a step": (
        _another_step,
        ("config", "features[1].steps"),
        {"features", *FROM_SEARCH},
        "features",
        "declared.area",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mutation_of_what_is_asked_is_named_and_run_as_planned(
    case, copy, first, fits_here, capfd
):
    mutate, reason, computes, member, what = CASES[case]
    mutate(copy)

    planned = copy.plan()
    plan(copy.folder / "pipeline.yaml", store=str(copy.places["store"]))
    human = capfd.readouterr().out
    run, computed = copy.run_here(fits_here)

    assert first.plan().because == {}
    assert reason in planned.own
    assert {kind for kind, _ in planned.own} == {reason[0]}
    assert f"{reason[0]}: {reason[1]}" in human
    assert run.spec_id == planned.spec_id
    # What was planned and what ran: a stage whose inputs came out the same is reused after all.
    assert computed <= set(planned.because)
    assert computed <= computes
    assert next(iter(planned.because)) in computed
    differs = copy.differs(run.run_id)
    assert what in differs[member]
    if case == "the seed":  # It draws other rows into the parts; the data are the same.
        assert {"split.test", "split.train", "split.valid"} < set(differs["config"])
    assert set(differs) - CONSEQUENCES - {"features"} <= {member}
    capfd.readouterr()
    diff(copy.run, run.run_id, store=str(copy.places["store"]))
    assert f"{member} " in capfd.readouterr().out.replace("\t", " ")
    assert copy.records.verify(copy.run).is_ok
    assert copy.records.verify(run.run_id).is_ok


def test_row_order_is_no_mutation_where_a_column_orders_the_rows(copy, fits_here):
    config = copy.declared()
    copy.save({**config, "data": {**config["data"], "order_by": ["id"]}})
    before, _ = copy.run_here(fits_here)
    assert copy.plan().because == {}

    _another_order(copy)
    planned = copy.plan()
    run, computed = copy.run_here(fits_here)

    assert planned.because["ingest"] == [("data", "part-1.parquet")]
    assert planned.own == {("data", "part-1.parquet")}
    assert computed == {"ingest"}  # All others read what came out of it, and that is the same.
    assert run.result_id == before.result_id


@pytest.mark.parametrize("name", ["README.md", "notes.txt", "notebook.ipynb"])
def test_what_is_no_code_changes_nothing(copy, name):
    (copy.folder / name).write_text("# Another text\n")

    assert copy.plan() == replace(copy.plan(), because={})


def test_a_module_of_the_project_that_no_stage_imports_is_named_by_diff_alone(copy, fits_here):
    (copy.folder / "homes.py").write_text("LIMIT = 4\n")

    planned = copy.plan()
    run, computed = copy.run_here(fits_here)

    assert (planned.because, computed) == ({}, set())
    assert run.spec_id == planned.spec_id  # Another one: the code that a run carries is asked for.
    differs = copy.differs(run.run_id)
    assert set(differs) == {"code"}
    assert set(differs["code"]) == {"homes.py"}


def test_one_file_of_the_engine_runs_the_stages_that_import_it(own_engine):
    file = own_engine.folder / "mlops_ray" / "features" / "program.py"
    file.write_text(file.read_text() + "\n# A comment.\n")

    planned = own_engine.plan()
    run, computed = own_engine.run_elsewhere()

    assert planned.own == {("code", "mlops_ray/features/program.py")}
    assert ("code", "mlops_ray/features/program.py") in planned.because["features"]
    assert not {"ingest", "split", "profile"} & set(planned.because)
    assert run["spec_id"] == planned.spec_id
    assert computed <= set(planned.because)
    assert "features" in computed
    differs = own_engine.differs(run["run_id"])
    assert {m: set(what) for m, what in differs.items()} == {
        "code": {"mlops_ray/features/program.py"}
    }
    assert own_engine.records.verify(run["run_id"]).is_ok


def test_a_default_in_the_source_is_named_where_it_stands_and_where_it_acts(own_engine):
    file = own_engine.folder / "mlops_ray" / "config" / "search.py"
    text = file.read_text()
    changed = text.replace('refit_on: Literal["train", "train_and_valid"] = "train_and_valid"', "X")
    assert changed != text, "the default stands elsewhere now"
    changed = changed.replace("X", 'refit_on: Literal["train", "train_and_valid"] = "train"', 1)
    file.write_text(changed)

    planned = own_engine.plan()

    assert ("config", "search.refit_on") in planned.because["refit"]
    assert planned.own == {
        ("config", "search.refit_on"),
        ("code", "mlops_ray/config/search.py"),
    }


def test_one_other_package_version_runs_all_and_changes_nothing(copy, other_environment):
    elsewhere = replace(copy, path=str(other_environment.folder))

    planned = elsewhere.plan()
    run, computed = elsewhere.run_elsewhere()

    assert copy.plan().because == {}
    assert planned.own == {("environment", other_environment.difference)}
    assert set(planned.because) == computed == ALL
    assert run["spec_id"] == planned.spec_id
    differs = elsewhere.differs(run["run_id"])
    assert set(differs) == {"environment"}
    assert set(differs["environment"]) == {"packages.skops"}
    assert elsewhere.records.verify(run["run_id"]).is_ok


def _flip(path: Path) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


@pytest.mark.parametrize("damage", [_flip, Path.unlink], ids=["flipped", "deleted"])
def test_each_object_damaged_or_deleted_is_named_by_who_reads_it(copy, damage, first):
    project = mlops_ray.Project(copy.folder)
    run = project.run()
    by_role = {fact.role: fact for fact in run.envelope.objects}
    assert set(by_role) >= {"input", "matrix train", "scan", "trials", "bundle", "metrics"}
    pipeline = mlops_ray.Pipeline(copy.folder / "pipeline.yaml")
    of_stages = {
        item.sha256 for record in _stage_records(project, run) for item in record.objects
    } | {f.sha256 for role, f in by_role.items() if role.startswith("stage ")}
    for role, fact in sorted(by_role.items()):
        path = project.workspace.store.path(fact.sha256)
        whole = path.read_bytes()
        damage(path)

        problems = {problem.object for problem in project.verify(run.run_id).problems}
        planned = pipeline.plan()
        refused = _refusal(project, run.run_id)

        is_missed = not (fact.intermediate and damage is Path.unlink)
        assert problems == ({fact.sha256} if is_missed else set()), role
        reasons = [r for stage in planned.stages for r in stage.because if r.kind == "object"]
        assert bool(reasons) == (fact.sha256 in of_stages), (role, planned)
        assert all(fact.sha256 in reason.what for reason in reasons), role
        if is_missed:
            assert fact.sha256 in refused, role
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
    assert project.verify(run.run_id).is_ok
    assert first.records.verify(first.run).is_ok


def _stage_records(project, run):
    store = project.workspace.store
    names = [f.sha256 for f in run.envelope.objects if f.role.startswith("stage ")]
    return [StageRecord.from_bytes(store.get(name)) for name in names]


def _refusal(project, run_id):
    """What `reproduce` says of a damaged run, before anything is executed."""
    try:
        reproduce._checked(load_run(project.run(run_id).record))
    except mlops_ray.MlopsRayError as error:
        return str(error)
    return ""
