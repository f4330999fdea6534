"""`mlops-ray run`, killed in the middle of each long stage: nothing stays, and the same end.

    python tests/faults/kill_processes.py [--stages ingest,search,refit] [--clusters own,joined]

For each stage, cluster and victim (the process alone or its whole group) the command is killed
while the stage runs, on a joined cluster with a worker stopped by SIGSTOP, which can neither end
nor answer. Then no process of its own may stay, and the same command has to end with the result of
an uninterrupted run, reusing all stages before, and leave no worker of the killed one on the joined
cluster: what Ray has not ended, it ends.
Prints a line of JSON for each kill and one in the end; ends with 4 if anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from killed_run import GONE_WITHIN_S, Place, Started, problems_of, write_project
from ray_head import Head, running_head

from mlops_ray.pipeline.declared import STAGE_NAMES

# Fits that last for seconds, and a table that Ray Data reads.
FAMILY = {
    "model": {"family": "hist_gradient_boosting", "params": {"max_iter": 1500}},
    "search": {"trials": 4, "space": {"learning_rate": {"log_uniform": [0.001, 0.01]}}},
}
ON_RAY_DATA = {"MLOPS_RAY_IN_PROCESS_BELOW_BYTES": "0"}
AT_WORK = "ray::"
NOT_AT_WORK = ("ray::IDLE", "ray::Dashboard", "ray::RuntimeEnv", "ray::_", "ray::Stats")


@dataclass
class Kill:
    """One kill in the middle of a stage.

    Attributes:
        stage: Stage that is to run.
        head: Cluster to join; None for one of its own.
        whole_group: Whether the whole process group is killed.
        trouble: What was wrong, named.
    """

    stage: str
    head: Head | None
    whole_group: bool
    trouble: list[str] = field(default_factory=list)

    def run(self, place: Place, wanted: str) -> dict[str, Any]:
        """Kill, look at what stays, and run the same command to its end."""
        started = place.start(**ON_RAY_DATA)
        self._expect(is_in(started, self.stage), f"it ended before {self.stage}")
        at_work = self._at_work(started)
        started.kill(whole_group=self.whole_group)
        own_gone_s = started.gone_after_s()
        self._expect(own_gone_s < GONE_WITHIN_S, "its own processes stay")
        self.trouble += problems_of(place)
        dead = place.records.runs()[-1]
        self._expect(dead.state == "interrupted", f"the dead run is {dead.state}")
        line = place.run(**ON_RAY_DATA)
        self._expect(not any(worker.is_running() for worker in at_work), "its workers stay")
        self._expect(line.get("result_id") == wanted, f"{line['code']}: another result")
        before = line.get("stages", [])[: STAGE_NAMES.index(self.stage)]
        self._expect(all(stage["cache"] == "hit" for stage in before), "computed more than one")
        self.trouble += problems_of(place)
        return {
            "stage": self.stage,
            "cluster": "joined" if self.head else "own",
            "victim": "group" if self.whole_group else "process",
            "stopped_workers": len(at_work),
            "own_gone_s": round(own_gone_s, 2),
            "ended_by_next": ended_by(line),
            "trouble": self.trouble,
        }

    def _at_work(self, started: Started) -> list[Any]:
        if self.head is None:
            return []
        head, found = self.head, []
        is_there = started.awaits(lambda: bool(found.extend(at_work(head)) or found))
        self._expect(is_there, "no worker was at work")
        for worker in found:
            worker.send_signal(signal.SIGSTOP)
        return found

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.trouble.append(otherwise)


def is_in(started: Started, stage: str) -> bool:
    """Wait until a stage runs; False where the command ended before."""
    number = STAGE_NAMES.index(stage) + 1
    return started.awaits_line(f"[{number}/{len(STAGE_NAMES)}] {stage}")


def at_work(head: Head) -> list[Any]:
    """Workers of a head that do something for a run."""
    idle = {worker.pid for title in NOT_AT_WORK for worker in head.workers(title)}
    return [worker for worker in head.workers(AT_WORK) if worker.pid not in idle]


def ended_by(line: dict[str, Any]) -> int:
    """How many workers of the killed run a run says to have ended."""
    said = re.findall(r"ended (\d+) workers", line["stderr"])
    return sum(map(int, said))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stages", default="ingest,search,refit")
    parser.add_argument("--clusters", default="own,joined")
    given = parser.parse_args()
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-")))
        project = write_project(folder / "project", changes=FAMILY)
        head = stack.enter_context(running_head()) if "joined" in given.clusters else None
        whole = Place.made(project, folder / "whole", head)
        wanted = whole.run(**ON_RAY_DATA)["result_id"]
        kinds = product(given.clusters.split(","), given.stages.split(","), (False, True))
        for number, (cluster, stage, whole_group) in enumerate(kinds):
            joined = head if cluster == "joined" else None
            place = Place.made(project, folder / f"kill-{number}", joined)
            outcome = Kill(stage, joined, whole_group).run(place, wanted)
            print(json.dumps(outcome), flush=True)  # noqa: T201 - the result
            wrong += bool(outcome["trouble"])
    return 4 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
