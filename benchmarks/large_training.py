"""What training on a table that fits no worker costs beside plain XGBoost in one process.

The table is that of `preprocessing_table.py`: 10 numbers with nulls and 5 categories, 15 features.
Every system runs in a process of its own, so that wall time, CPU time and peak memory (PSS of all
its processes, Ray's among them) are its own.

- ``plain``: pyarrow reads the columns, words become codes, XGBoost quantises the matrix in memory
  and fits `--rounds` rounds to four rows of five, then answers the fifth.
- ``plain_asleep``: the same with ``OMP_WAIT_POLICY=passive``, as workers of a run have it:
  threads that wait for each other sleep instead of spinning.
- ``memory``, ``external``, ``distributed``: a whole run with that `model.training`: the pass over
  the data, one trial, the last fit, the test rows. Its stages are told one by one; ``refit`` is
  what ``plain`` does between reading and answering.

Prints one line of JSON. Run with ``.venv/bin/python benchmarks/large_training.py``; the rows are
spooled to the system's temporary folder (`TMPDIR`), 4 bytes a cell.
"""

# Each system imports its own libraries only.
# ruff: noqa: INP001, PLC0415, S603, T201

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).parent))
from preprocessing_table import CATEGORIES, NUMBERS, cached_table
from process_tree import Watched

SYSTEMS: Final = ("plain", "plain_asleep", "memory", "external", "distributed")
N_CPUS: Final = 2
PARAMS: Final = {"max_depth": 6, "learning_rate": 0.3, "subsample": 0.8}
_WAIT_POLICY: Final = "OMP_WAIT_POLICY"
_MODELS: Final[dict[str, dict[str, Any]]] = {
    "memory": {"threads": N_CPUS},
    "external": {"threads": N_CPUS, "training": "external"},
    "distributed": {"threads": 1, "training": "distributed", "workers": N_CPUS},
}


def plain(table: Path, n_rounds: int) -> dict[str, Any]:
    """XGBoost as one writes it in a notebook."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    import xgboost

    started = time.monotonic()
    read = pq.read_table(table, columns=[*NUMBERS, *CATEGORIES, "y"])
    X = np.empty((read.num_rows, len(NUMBERS) + len(CATEGORIES)), np.float32)
    for at, name in enumerate([*NUMBERS, *CATEGORIES]):
        column = read.column(name)
        if name in CATEGORIES:
            column = pc.dictionary_encode(column).combine_chunks().indices
        X[:, at] = column.to_numpy()
    y = read.column("y").to_numpy()
    n_train = read.num_rows * 4 // 5
    del read, column
    built = time.monotonic()
    params = {**PARAMS, "objective": "binary:logistic", "nthread": N_CPUS}
    matrix = xgboost.QuantileDMatrix(X[:n_train], y[:n_train], nthread=N_CPUS)
    booster = xgboost.train(params, matrix, n_rounds)
    fitted = time.monotonic()
    booster.inplace_predict(X[n_train:])
    return {
        "stages_s": {
            "read": built - started,
            "refit": fitted - built,
            "evaluate": time.monotonic() - fitted,
        }
    }


def ours(table: Path, n_rounds: int, system: str, folder: Path) -> dict[str, Any]:
    """A run of the whole pipeline."""
    import mlops_ray

    config = {
        "version": 1,
        "name": "large",
        "objective": {"metric": "roc_auc"},
        "data": {"source": {"path": str(table)}, "task": "binary", "target": "y", "key": ["id"]},
        "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
        "features": [{"columns": NUMBERS}, {"columns": CATEGORIES, "steps": ["ordinal"]}],
        "model": {
            "family": "xgboost",
            "params": {**PARAMS, "n_estimators": n_rounds},
            **_MODELS[system],
        },
        "search": {"trials": 1},
        "store": {"copy_inputs_below": 0},
    }
    (folder / "pyproject.toml").touch()
    path = folder / "pipeline.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    run = mlops_ray.Pipeline(path, store=folder / "store").run(num_cpus=N_CPUS)
    return {
        "stages_s": {stage.name: stage.wall_s for stage in run.envelope.stages},
        "ray_start_s": run.envelope.ray_start_s,
    }


def measured(system: str, table: Path, n_rounds: int) -> dict[str, Any]:
    """One system in a process of its own."""
    command = [sys.executable, __file__, "--system", system, "--rounds", str(n_rounds)]
    started = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != _WAIT_POLICY}
    if system == "plain_asleep":
        environment[_WAIT_POLICY] = "passive"
    process = subprocess.Popen(
        [*command, "--table", str(table)], stdout=subprocess.PIPE, text=True, env=environment
    )
    watched = Watched(process)
    answer, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{system} failed with {process.returncode}")
    facts: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return {
        "wall_s": round(time.monotonic() - started, 1),
        "cpu_s": round(watched.cpu_s, 1),
        "peak_mb": round(watched.peak_bytes / 2**20),
        **facts,
    }


def main() -> None:
    """Measure the systems, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--system", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.system in {"plain", "plain_asleep"}:
        print(json.dumps(plain(options.table, options.rounds)))
    elif options.system:
        with tempfile.TemporaryDirectory(prefix="large-") as folder:
            facts = ours(options.table, options.rounds, options.system, Path(folder))
        print(json.dumps(facts))
    else:
        table = cached_table(options.rows)
        found = {name: measured(name, table, options.rounds) for name in options.systems}
        print(json.dumps({"rows": options.rows, "rounds": options.rounds, "systems": found}))


if __name__ == "__main__":
    main()
