"""What the pass costs as the fraud table grows, and what a second worker or node gains.

    python benchmarks/scale.py [--rows 1000000 10000000 50000000] [--workers-rows 10000000]
                               [--small-rows 900000] [--plot docs/images/scale.svg]

`mlops-ray features build` with its defaults, in a fresh store each time: inputs digested, contract,
fingerprint, split, profile, features fitted on the training rows, every row written transformed.
First with 2 CPUs for each number of rows; then the wider table of preprocessing.py: less than
100 MB of it, for which Ray is not started, and much of it with 1 worker, 2 workers and a cluster of
two nodes of 1 CPU, whose object stores of 150 MiB hold a fraction of it.
Printed are the wall time without Ray's start, CPU seconds and peak memory (PSS) of the whole
process tree, and the bytes that Ray spilled to disk. Ends with 0 whatever they are: a benchmark is
no test.
"""

# ruff: noqa: INP001, S603, T201

from __future__ import annotations

import argparse
import itertools
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import preprocessing
import pyarrow.parquet as pq
from matplotlib import pyplot as plt
from preprocessing_table import cached_table
from process_tree import Watched

from mlops_ray.testing.fraud import write_fraud

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY: Final = Path(__file__).parents[1]
TWO_NODES: Final = REPOSITORY / "tests" / "faults" / "two_nodes.py"
MILLION: Final = 1e6
GB: Final = 1e9
STAGES: Final = ("ingest", "split", "profile", "write")


def fraud_pipeline(table: Path) -> dict[str, Any]:
    """Every kind of column of the fraud table as a feature; the latest payments are the test."""
    return {
        "version": 1,
        "name": "fraud",
        "seed": 7,
        "objective": {"metric": "roc_auc"},
        "data": {
            "source": {"path": str(table)},
            "task": "binary",
            "target": "is_fraud",
            "key": ["id"],
            "time": "event_ts",
        },
        "split": {"test": {"time_from": "2025-11-01"}, "valid": {"share": 0.2}},
        "features": [
            {"columns": ["amount", "account_age_days"], "steps": ["log", "standardize"]},
            {"columns": ["merchant"], "steps": ["frequency"]},
            {"columns": ["hour"], "steps": ["one_hot"]},
            {"columns": ["new_device"], "steps": [{"impute": "median"}]},
        ],
        "model": {"family": "xgboost"},
    }


@dataclass(frozen=True, slots=True)
class Cost:
    """What one build of the feature table cost.

    Attributes:
        n_rows: Rows of the table.
        wall_s: Seconds without Ray's start.
        stages: Seconds of each stage.
        cpu_s: CPU seconds of the process tree, a cluster that was joined left out.
        peak_bytes: Peak memory of the process tree.
        spilled_bytes: What Ray wrote from its object store to disk.
        fingerprint: Logical fingerprint of the table.
    """

    n_rows: int
    wall_s: float
    stages: dict[str, float]
    cpu_s: float
    peak_bytes: int
    spilled_bytes: int
    fingerprint: str


def fraud_table(n_rows: int) -> Path:
    """The folder of a table of so many rows, made unless it is there."""
    folder = Path(tempfile.gettempdir()) / "mlops-ray-bench" / f"fraud-{n_rows}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        write_fraud(partial, n_rows, 7)
        partial.rename(folder)
    return folder


def built(
    config: dict[str, Any], *options: str, session: Path | None = None, **variables: str
) -> Cost:
    """Build a feature table in a folder and store of their own.

    Args:
        config: The pipeline file.
        options: Of the command.
        session: Where a cluster that is joined keeps its session.
        variables: Of the environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        (folder / "pyproject.toml").touch()
        (folder / "pipeline.yaml").write_text(json.dumps(config), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "mlops_ray", "features", "build", "pipeline.yaml"]
        command += ["--out", str(folder / "out"), "--json", *options]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(variables, TMPDIR=str(folder)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watched = Watched(process, spills_below=session or folder)
        output, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the build ended with {process.returncode}: {errors[-3000:]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    answer = json.loads(output)
    stages = {stage["name"]: stage["wall_s"] for stage in answer["stages"]}
    figures = watched.cpu_s, watched.peak_bytes, watched.spilled_bytes
    return Cost(answer["rows"], answer["wall_s"], stages, *figures, answer["fingerprint"])


def environment(variables: Mapping[str, str], **more: str) -> dict[str, str]:
    """Variables of a child process: Ray workers find the package and may keep compiled code."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    fixed = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(REPOSITORY)}
    return {**kept, **fixed, **more, **variables}


@contextmanager
def two_nodes() -> Iterator[tuple[Path, dict[str, str]]]:
    """A protected cluster of two nodes; yields its folder and the variables to join it by."""
    folder = Path(tempfile.mkdtemp(prefix="two-", dir=tempfile.gettempdir()))
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    access = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    process = subprocess.Popen(
        [sys.executable, str(TWO_NODES)],
        env=environment(access, RAY_TMPDIR=str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the cluster has no output")
        yield folder, {**access, "RAY_ADDRESS": process.stdout.readline().strip()}
    finally:
        process.communicate("")  # It ends when its input does.
        shutil.rmtree(folder, ignore_errors=True)


def show(label: str, cost: Cost) -> None:
    """A line of the report."""
    stages = " ".join(f"{name} {cost.stages[name]:.1f}" for name in STAGES)
    print(
        f"{label:12}{cost.n_rows:>12,} rows{cost.wall_s:9.2f} s  ({stages})"
        f"{cost.cpu_s:8.1f} CPU s{cost.peak_bytes / GB:7.2f} GB"
        f"{cost.spilled_bytes / MILLION:8.1f} MB spilled",
        flush=True,
    )


def decoded_bytes(table: Path, n_rows: int) -> float:
    """Size of a table as Arrow holds it, from its first file."""
    first = pq.read_table(min(table.glob("*.parquet")))
    return first.nbytes * n_rows / first.num_rows


def plot(costs: list[Cost], path: Path) -> None:
    """Wall time and peak memory against rows, as SVG that is the same for the same figures."""
    mpl.rcParams["svg.hashsalt"] = "scale"
    figure, (time_axes, memory_axes) = plt.subplots(1, 2, figsize=(9, 3.6))
    rows = [cost.n_rows / MILLION for cost in costs]
    bottom = [0.0] * len(costs)
    for name in STAGES:
        top = [low + cost.stages[name] for low, cost in zip(bottom, costs, strict=True)]
        time_axes.fill_between(rows, bottom, top, alpha=0.6, label=name)
        bottom = top
    time_axes.plot(rows, [cost.wall_s for cost in costs], "k.-", label="wall time")
    time_axes.legend(loc="upper left")
    memory_axes.plot(rows, [cost.peak_bytes / GB for cost in costs], "k.-")
    time_axes.set(xlabel="million rows", ylabel="seconds", ylim=(0, None), title="Wall time")
    title = "Peak memory of all processes"
    memory_axes.set(xlabel="million rows", ylabel="GB (PSS)", ylim=(0, None), title=title)
    for axes in (time_axes, memory_axes):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def compare_workers(n_rows: int) -> None:
    """One worker, two workers, and two nodes with small object stores."""
    table = cached_table(n_rows)
    config = preprocessing.pipeline(table)
    one = built(config, "--num-cpus", "1")
    show("1 worker", one)
    two = built(config, "--num-cpus", "2")
    show("2 workers", two)
    with two_nodes() as (session, joined):
        nodes = built(config, session=session, **joined)
    show("2 nodes", nodes)
    if len({one.fingerprint, two.fingerprint, nodes.fingerprint}) > 1:
        raise RuntimeError("the fingerprints differ")
    print(
        f"2 workers: {one.wall_s / two.wall_s:.2f} times as fast as 1; "
        f"2 nodes: {one.wall_s / nodes.wall_s:.2f}; the table is "
        f"{decoded_bytes(table, n_rows) / (150 * 2**20):.1f} times the object store of a node"
    )


def main() -> None:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000, 50_000_000])
    parser.add_argument("--workers-rows", type=int, default=10_000_000)
    parser.add_argument("--small-rows", type=int, default=900_000)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    print("load " + ", ".join(f"{value:.1f}" for value in os.getloadavg()))
    costs = []
    for n_rows in sorted(options.rows):
        costs.append(built(fraud_pipeline(fraud_table(n_rows)), "--num-cpus", "2"))
        show("2 workers", costs[-1])
    for less, more in itertools.pairwise(costs):
        growth = more.peak_bytes / less.peak_bytes - 1
        print(f"memory from {less.n_rows:,} to {more.n_rows:,} rows: {growth:+.0%}")
    if options.plot and costs:
        plot(costs, options.plot)
    if options.small_rows:
        table = cached_table(options.small_rows)
        show("small table", built(preprocessing.pipeline(table), "--num-cpus", "2"))
    if options.workers_rows:
        compare_workers(options.workers_rows)


if __name__ == "__main__":
    main()
