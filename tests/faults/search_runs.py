"""Pipelines that differ in their search, and what each gives on a cluster; a process a cluster.

    python tests/faults/search_runs.py PROJECT --seeds 1 2 3 [--cpus 2 | --address A] [--kill]

Runs every pipeline of `SEARCHES` with every seed into a store of its own, all on one cluster, and
prints a line of JSON for each. With ``--kill`` a slot dies by SIGKILL after a number of trials that
comes from the seed; with ``--interrupt`` Ctrl-C comes after so many, and the same is run again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from determinism_campaign import sensitive_config, sensitive_table

import mlops_ray
from mlops_ray.runtime.cluster import connect
from mlops_ray.search.trial import read_trial_table
from mlops_ray.telemetry import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.telemetry.standing import Standing

N_TRIALS = 9
SPACE = {
    "max_depth": {"int": [1, 4]},
    "learning_rate": {"log_uniform": [0.05, 0.5]},
    "subsample": {"uniform": [0.4, 0.9]},
}
WIDER = {**SPACE, "learning_rate": {"log_uniform": [0.05, 0.6]}}
HALVINGS: dict[str, dict[str, Any]] = {
    "": {},
    ", halving": {"halving": {"eta": 3, "brackets": 1}},
    ", data share": {"halving": {"by": "data_share", "eta": 3, "brackets": 1}},
}
SEARCHES: dict[str, dict[str, Any]] = {
    f"{searcher}{name}": {"searcher": searcher, **halving}
    for searcher in ("random", "sobol", "tpe")
    for name, halving in HALVINGS.items()
}


def write_project(folder: Path, n_rows: int = 600) -> Path:
    """A table whose models show any other order, and the pipeline file that all searches share."""
    (folder / "data").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    pq.write_table(sensitive_table(1, n_rows), folder / "data" / "part.parquet")
    config = sensitive_config(1)
    del config["model"]["params"]["subsample"]  # The search draws it.
    (folder / "pipeline.yaml").write_text(json.dumps(config), encoding="utf-8")
    return folder


def overrides_of(
    name: str, seed: int, *, space: dict[str, Any] | None = None, n_trials: int = N_TRIALS
) -> list[str]:
    """The pipeline of one search, as texts for ``--set``."""
    search = {"space": space or SPACE, "trials": n_trials, "generation": 4, **SEARCHES[name]}
    return [f"seed={seed}", f"search={json.dumps(search)}"]


def answer_of(run: mlops_ray.Run) -> dict[str, Any]:
    """What a run gave, as far as other ways to compute it have to give the same."""
    result = run.result
    if result is None or result.search is None or result.model is None:
        raise RuntimeError(f"{run.run_id} is {run.state}")
    records = read_trial_table(run.record.workspace.store.get(result.search.trials))
    equals = [record for record in records if record.value == result.search.best_value]
    return {
        "trials": result.search.trials,
        "winner": [result.search.best_index, result.search.best_params],
        "bundle": result.model.bundle,
        "result_id": run.result_id,
        "is_tied": len(equals) > 1,
        "statuses": [record.status for record in records],
    }


@dataclass
class Notes:
    """What disturbed trials noted in their ledger, the file of `sitecustomize`."""

    path: Path

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The notes of a kind, in their order."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return [item for item in map(json.loads, lines) if item["kind"] == kind]

    def forget(self) -> None:
        """Begin anew."""
        self.path.write_bytes(b"")


@contextmanager
def slot_signalled(
    notes: Notes, after: int, number: signal.Signals = signal.SIGKILL
) -> Iterator[list[int]]:
    """While the block runs, the slot that begins the n-th trial gets a signal; yields whom."""
    hit: list[int] = []
    is_over = threading.Event()

    def kill() -> None:
        while not is_over.wait(0.005):
            begun = notes.of("begun")
            if len(begun) > after:
                hit.append(begun[after]["pid"])
                os.kill(hit[0], number)
                return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield hit
    finally:
        is_over.set()
        killer.join()


class Interrupting(SilentProgress):
    """Presses Ctrl-C once so many trials have ended."""

    def __init__(self, after: int) -> None:
        self.after: float = after

    def trial_finished(self, standing: Standing) -> None:
        """A trial has ended, or several have at a rung."""
        if standing.done >= self.after:
            self.after = math.inf
            signal.raise_signal(signal.SIGINT)


@dataclass
class Runs:
    """All searches on the cluster that this process is connected to."""

    project: Path
    notes: Notes
    way: argparse.Namespace

    def one(self, name: str, seed: int, space: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run one search into a fresh store, with what is to happen meanwhile."""
        moment = random.Random(f"{name} {seed}").randrange(1, N_TRIALS - 2)  # noqa: S311
        self.notes.forget()
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="search-runs-") as folder:
            pipeline = mlops_ray.Pipeline(
                self.project / "pipeline.yaml",
                overrides=overrides_of(name, seed, space=space),
                store=f"{folder}/store",
                registry=f"{folder}/registry.db",
            )
            if self.way.interrupt:
                self._interrupted(pipeline, moment)
            if self.way.kill:
                with slot_signalled(self.notes, moment) as hit:
                    run = pipeline.run()
            else:
                hit, run = [], pipeline.run()
            answer = answer_of(run)
        ended = self.notes.of("trial")
        order = [item["index"] for item in ended]
        return {
            "name": name,
            "seed": seed,
            **answer,
            "is_late": order != sorted(order),
            "slots": len({item["pid"] for item in ended}),
            "nodes": len({item["node"] for item in ended}),
            "threads": max(item["threads"] for item in ended),
            "killed": len(hit),
            "begun": len(self.notes.of("begun")),
            "wall_s": round(time.monotonic() - started, 2),
        }

    def _interrupted(self, pipeline: mlops_ray.Pipeline, after: int) -> None:
        try:
            pipeline.run(progress=Interrupting(after))
        except KeyboardInterrupt:
            return
        raise RuntimeError("Ctrl-C ended nothing")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES))
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--address", default=None, help="a cluster to join instead")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--interrupt", action="store_true")
    parser.add_argument("--wider", action="store_true", help="with another bound of the space")
    way = parser.parse_args()
    where: dict[str, Any] = {"num_cpus": way.cpus}
    where = {"address": way.address} if way.address else {"address": "local", **where}
    with connect(**where):
        runs = Runs(way.project, Notes(Path(os.environ["DISTURBED_LEDGER"])), way)
        for name in way.searches:
            for seed in way.seeds:
                answer = runs.one(name, seed, WIDER if way.wider else None)
                print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    sys.exit(main())
