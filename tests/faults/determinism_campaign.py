"""One pipeline, many ways to compute it: is every output the same, bit for bit?

    python tests/faults/determinism_campaign.py --seeds 1 2 3 [--only NAMES] [--rows 600]

Every way is `mlops-ray run` in a process of its own with a fresh store: other numbers of CPUs, two
nodes, waits in tasks and trials, other blocks, cuts of the files, orders of the rows. The data and
the parameters are such that any other order of adding or drawing shows: floats from 1e-6 to 1e9,
nulls, samples of rows and columns, ties in the metric. Two controls break the order and have to
give another result. Prints a line a run and ends with 4 if one is not as it has to be.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
DISTURBED = HERE / "disturbed"
N_TRIALS = 8
TIMEOUT_S = 500  # On an idle machine a run takes 15 s, with 20 others beside it minutes.
NOT_EQUAL = 4


@dataclass(frozen=True)
class Way:
    """One way to compute a pipeline.

    Attributes:
        name: For the report.
        cpus: CPUs of a cluster of its own; 0 joins the two nodes.
        variables: Further environment; see `disturbed/sitecustomize.py`.
        n_files: Files that the table is cut into.
        group_rows: Rows of a row group.
        is_shuffled: Whether the rows lie in another order, and `order_by` puts them in theirs.
        is_control: Whether the result has to be another one.
    """

    name: str
    cpus: int
    variables: dict[str, str] = field(default_factory=dict)
    n_files: int = 3
    group_rows: int = 70
    is_shuffled: bool = False
    is_control: bool = False

    @property
    def waits(self) -> bool:
        """Whether work has to end in another order than it began."""
        return "DISTURBED_MAX_S" in self.variables


def waits(seed: int, max_s: float = 0.8, **more: str) -> dict[str, str]:
    """Variables for waits in tasks and trials."""
    return {"DISTURBED_SEED": str(seed), "DISTURBED_MAX_S": str(max_s), **more}


WAYS = (
    Way("2 CPUs", 2),
    Way("1 CPU", 1),
    Way("4 CPUs", 4),
    Way("4 CPUs, waits", 4, waits(1)),
    Way("4 CPUs, other waits", 4, waits(2)),
    Way("two nodes", 0),
    Way("two nodes, waits", 0, waits(3)),
    Way("read by the driver", 2, {"MLOPS_RAY_IN_PROCESS_BELOW_BYTES": str(2**40)}),
    Way("small blocks", 2, {"DISTURBED_BLOCK_BYTES": "4096", "DISTURBED_TASKS": "1"}),
    Way("many tasks, waits", 4, waits(4, 0.3, DISTURBED_TASKS="16"), group_rows=11),
    Way("one file, large row groups", 2, n_files=1, group_rows=1000),
    Way("7 files, small row groups, waits", 4, waits(5), n_files=7, group_rows=13),
    Way("rows shuffled and ordered, waits", 4, waits(6), n_files=5, is_shuffled=True),
    Way("control: answers as they end", 4, waits(7, DISTURBED_BREAK="units"), is_control=True),
    Way("control: last of equals", 4, waits(8, DISTURBED_BREAK="ties"), is_control=True),
)


def sensitive_table(seed: int, n_rows: int = 600) -> pa.Table:
    """Rows whose sums and models show any other order: wide floats, nulls, text with nulls."""
    rng = np.random.default_rng(seed)
    tiny, huge = 1e-6 * rng.lognormal(0, 1, n_rows), 1e9 * rng.normal(1, 0.3, n_rows)
    wide = rng.choice([-1.0, 1.0], n_rows) * 10 ** rng.uniform(-6, 9, n_rows)
    city = rng.integers(0, 5, n_rows)
    names = np.array(["Bern", "Genf", "Zürich", "Chur", None], dtype=object)[city]
    score = np.log(tiny * 1e6) + 3 * (huge / 1e9 - 1) + 0.4 * np.log10(np.abs(wide)) + city / 2
    owner = rng.random(n_rows) < 0.5
    # One column decides most rows, so that trials differ in every bit but not in accuracy.
    score += 12 * owner + rng.normal(0, 1.0, n_rows)
    return pa.table(
        {
            "id": pa.array(np.arange(n_rows) + 1000),
            "tiny": pa.array(tiny, mask=rng.random(n_rows) < 0.15),
            "huge": pa.array(huge, mask=rng.random(n_rows) < 0.05),
            "wide": pa.array(wide, mask=rng.random(n_rows) < 0.1),
            "city": pa.array(names, pa.string()),
            "owner": pa.array(owner),
            "sold": pa.array(np.where(score > np.median(score), "yes", "no")),
        }
    )


def sensitive_config(seed: int, order_by: Sequence[str] = ()) -> dict[str, Any]:
    """A pipeline that draws rows and columns, and whose metric has few values, hence ties."""
    return {
        "version": 1,
        "name": "sensitive",
        "seed": seed,
        "objective": {"metric": "accuracy"},
        "data": {
            "source": "data",
            "task": "binary",
            "target": "sold",
            "key": ["id"],
            "order_by": list(order_by),
        },
        "split": {"test": {"share": 0.25}, "valid": {"share": 0.15}},
        "features": [
            {"columns": ["tiny"], "steps": [{"impute": "mean"}, "standardize"]},
            {"columns": ["huge", "wide"], "steps": [{"impute": "mean"}, "standardize"]},
            {"columns": ["city"], "steps": [{"one_hot": {"min_count": 3}}]},
            {"columns": ["owner"]},
        ],
        "model": {
            "family": "xgboost",
            "params": {"n_estimators": 12, "subsample": 0.7, "colsample_bytree": 0.6},
        },
        "search": {
            "trials": N_TRIALS,
            "space": {"max_depth": {"int": [2, 3]}, "learning_rate": {"uniform": [0.1, 0.3]}},
        },
    }


def write_project(folder: Path, way: Way, seed: int, n_rows: int) -> None:
    """A project with the sensitive pipeline, its table cut and ordered as a way wants it."""
    (folder / "data").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    table = sensitive_table(seed, n_rows)
    if way.is_shuffled:
        table = table.take(np.random.default_rng(seed).permutation(n_rows))
    size = -(-n_rows // way.n_files)
    for number in range(way.n_files):
        part = table.slice(number * size, size)
        path = folder / f"data/part-{number}.parquet"
        pq.write_table(part, path, row_group_size=way.group_rows)
    config = sensitive_config(seed, ["id"] if way.is_shuffled else ())
    (folder / "pipeline.yaml").write_text(json.dumps(config), encoding="utf-8")


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        answer: Its line of JSON.
        ended: Kind of work -> what ended, in that order.
        nodes: Nodes that did it.
        wall_s: Of the whole process.
    """

    answer: dict[str, Any]
    ended: dict[str, list[int]]
    nodes: frozenset[str]
    wall_s: float

    @property
    def outputs(self) -> dict[str, dict[str, str]]:
        """Outputs of every stage."""
        return {stage["name"]: stage["outputs"] for stage in self.answer["stages"]}

    @property
    def late(self) -> set[str]:
        """Kinds of work that ended in another order than that of their indices."""
        return {kind for kind, indices in self.ended.items() if indices != sorted(indices)}


def run(project: Path, way: Way, address: str = "", **variables: str) -> Outcome:
    """Run a project's pipeline in a process of its own, with a fresh store.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryDirectory(prefix="mr", dir="/tmp") as folder:
        # The workers of a cluster that was joined have its ledger, not this one.
        ledger = Path(variables.get("DISTURBED_LEDGER", f"{folder}/ledger"))
        ledger.write_bytes(b"")
        place = ["--address", address] if address else ["--num-cpus", str(way.cpus)]
        places = ["--store", f"{folder}/store", "--registry", f"{folder}/registry.db"]
        own = {"RAY_TMPDIR": folder, "DISTURBED_LEDGER": str(ledger)}
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "mlops_ray", "run", "pipeline.yaml", "--json", *place, *places],
            cwd=project,
            env=environment(way.variables | own | variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        wall_s = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"{way.name} ended with {done.returncode}: {done.stderr[-3000:]}")
        notes = [json.loads(line) for line in ledger.read_text().splitlines()]
    ended: dict[str, list[int]] = {}
    for item in notes:
        ended.setdefault(item["kind"], []).append(item["index"])
    nodes = frozenset(item["node"] for item in notes)
    return Outcome(json.loads(done.stdout), ended, nodes, wall_s)


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Environment for the driver and all workers of a disturbed run."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLOPS_RAY_", "DISTURBED_"))}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)
    before = clean.get("PYTHONPATH")
    paths = os.pathsep.join([str(DISTURBED), *([before] if before else [])])
    return {**clean, "PYTHONPATH": paths, "MLOPS_RAY_IN_PROCESS_BELOW_BYTES": "0", **variables}


@contextmanager
def two_nodes(variables: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A cluster of two nodes in a process of its own; yields its address and what joins it."""
    with tempfile.TemporaryDirectory(prefix="mr", dir="/tmp") as folder:
        token = Path(folder) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        joining = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "DISTURBED_LEDGER": f"{folder}/ledger",
        }
        process = subprocess.Popen(
            [sys.executable, str(HERE / "two_nodes.py")],
            env=environment(variables | joining | {"RAY_TMPDIR": folder}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            if not address:
                raise RuntimeError("the two nodes did not start")
            yield address, joining
        finally:
            process.communicate(timeout=60)


def outcome_of(way: Way, seed: int, n_rows: int) -> Outcome:
    """Write the project of a way and run it, on two nodes if it wants them."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        write_project(project, way, seed, n_rows)
        if way.cpus:
            return run(project, way)
        with two_nodes(way.variables) as (address, joining):
            return run(project, way, address, **joining)


def faults_of(way: Way, found: Outcome, reference: Outcome) -> list[str]:
    """What is not as it has to be."""
    is_equal = found.answer["result_id"] == reference.answer["result_id"]
    faults = [] if is_equal != way.is_control else ["EQUAL" if is_equal else "DIFFERENT"]
    if not way.is_control and found.outputs != reference.outputs:
        stages = [s for s, outputs in found.outputs.items() if outputs != reference.outputs[s]]
        faults.append(f"first at {stages[0]}")
    if way.waits and not {"matrix_of_unit", "trial"} <= found.late:
        faults.append(f"nothing but {sorted(found.late)} ended out of order")
    if not way.cpus and len(found.nodes) != 2:
        faults.append(f"{len(found.nodes)} nodes worked")
    return faults


def main() -> int:
    """Run all ways with all seeds; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of names of ways")
    options = parser.parse_args()
    chosen = [
        way
        for way in WAYS[1:]
        if not options.only or any(way.name.startswith(name) for name in options.only)
    ]
    n_bad = 0
    for seed in options.seeds:
        reference = outcome_of(WAYS[0], seed, options.rows)
        report(seed, WAYS[0], reference, [])
        for way in chosen:
            try:
                found = outcome_of(way, seed, options.rows)
            except (RuntimeError, subprocess.TimeoutExpired) as error:  # The others still count.
                print(f"seed {seed}  {way.name:34} FAILED: {error}", flush=True)  # noqa: T201
                n_bad += 1
                continue
            faults = faults_of(way, found, reference)
            n_bad += bool(faults)
            report(seed, way, found, faults)
    print(f"{n_bad} of {len(options.seeds) * len(chosen)} runs are not as they have to be")  # noqa: T201
    return NOT_EQUAL if n_bad else 0


def report(seed: int, way: Way, found: Outcome, faults: list[str]) -> None:
    """One line of the table."""
    verdict = "; ".join(faults) or ("other, as it has to be" if way.is_control else "same")
    late = ", ".join(sorted(found.late)) or "-"
    result = found.answer["result_id"][7:19]
    print(  # noqa: T201
        f"seed {seed}  {way.name:34} {result}  {found.wall_s:5.1f} s  {len(found.nodes)} nodes  "
        f"late: {late:32} {verdict}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
