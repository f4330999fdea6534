"""`mlops-ray run`, killed from outside at every fail point: nothing torn, and the same end.

    python tests/faults/crash_campaign.py --take all|ends|sample:N [--seed S] [--own-clusters]
    python tests/faults/crash_campaign.py --chain --jobs 2 --stages evaluate

The names of the fail points are read from the source. An uninterrupted run of a tiny pipeline gives
the wanted `result_id`, and traces say how often each point is passed. For every stage a *base* is
made: a store in which all stages before it are finished, so that a point of a late stage is reached
without computing the early ones. From a copy of its base the command is started, stands still at
the point, and gets SIGKILL, by turns its process alone and its whole group. Then the store has to
verify with all bytes read, no record may be torn, the dead run is `interrupted`, and the same
command ends with the wanted result, having reused every stage that was finished.

With ``--chain`` each name is taken once, and every kill works on what the one before left behind.
Prints one line of JSON; ends with 4 if anything was wrong or a name was never reached.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from killed_run import GONE_WITHIN_S, PACKAGE, Place, problems_of, write_project
from ray_head import Head, running_head

from mlops_ray.pipeline.declared import STAGE_NAMES
from mlops_ray.pipeline.stage_cache import pointer_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Passed by `store gc`, `features build` and the search stage, and stopped at in tests of their own.
OTHERS = ("collect.", "features.", "ledger.")


class Point(NamedTuple):
    """The n-th time that a run from a base passes a name, and what was finished by then."""

    base: str
    name: str
    n: int
    position: int
    finished: int
    is_announced: bool
    may_be_sealed: bool
    must_be_sealed: bool

    def __str__(self) -> str:
        return f"{self.base}: {self.name}#{self.n}"


def names_in_source(package: Path = PACKAGE) -> set[str]:
    """First arguments of all calls of `fail_point`, which have to be literals."""
    trees = [ast.parse(path.read_bytes()) for path in package.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [call.args[0] for call in calls if getattr(call.func, "id", "") == "fail_point"]
    if not all(isinstance(name, ast.Constant) for name in names):
        raise TypeError("the name of a fail point is no literal")
    return {str(ast.literal_eval(name)) for name in names}


@dataclass
class Campaign:
    """All kills of one project on one cluster.

    Attributes:
        root: Folder for everything.
        head: Cluster to join; None for one of its own.
        stages: Stages whose points are wanted, in the words of a pipeline file.
        trouble: What was wrong, named.
    """

    root: Path
    head: Head | None
    stages: Sequence[str]
    trouble: list[str] = field(default_factory=list)
    result_id: str = ""
    bases: dict[str, Place] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    longest_gone_s: float = 0.0

    def prepare(self) -> None:
        """Run once uninterrupted, make a base for each stage and trace what follows it."""
        whole = Place.made(write_project(self.root / "project"), self.root / "whole", self.head)
        line, _ = whole.traced()
        if line["code"] != 0:
            raise RuntimeError(line["stderr"])
        self.result_id = line["result_id"]
        keys = {stage["name"]: stage["key"] for stage in line["stages"]}
        for stage in self.stages:
            self.bases[stage] = base = whole.copy(self.root / f"base-{stage}")
            _undo(base, [keys[name] for name in STAGE_NAMES[STAGE_NAMES.index(stage) :]])
            ended, trace = base.copy(self.root / f"traced-{stage}").traced()
            self._expect(ended["result_id"] == self.result_id, f"base {stage}: another result")
            self.points += _points(
                stage, trace, is_first=stage == self.stages[0], is_last=stage == self.stages[-1]
            )

    def kill_at(self, point: Point, place: Place, *, whole_group: bool) -> str | None:
        """Kill at one point and look at what is left; returns the dead run, if there is one."""
        before = {run.run_id for run in place.records.runs()}
        started = place.stopped_at(point.name, point.n)
        if started is None:
            self._note(f"{point} was not reached")
            return None
        started.kill(whole_group=whole_group)
        self.reached[point.name] += 1
        print(point, file=sys.stderr)  # noqa: T201 - the progress
        if self.head is None:
            self.longest_gone_s = max(self.longest_gone_s, gone_s := started.gone_after_s())
            self._expect(gone_s < GONE_WITHIN_S, f"{point}: processes stay")
        for problem in problems_of(place):
            self._note(f"{point}: {problem}")
        runs = [run for run in place.records.runs() if run.run_id not in before]
        self._expect(len(runs) <= 1, f"{point}: {len(runs)} runs")
        for run in runs:
            wanted = {"interrupted"} if not point.may_be_sealed else {"interrupted", "sealed"}
            wanted = {"sealed"} if point.must_be_sealed else wanted
            self._expect(run.state in wanted, f"{point}: the dead run is {run.state}")
            if run.state == "interrupted":
                return run.run_id
        return None

    def alone(self, point: Point, number: int) -> None:
        """Kill at one point of a fresh copy of its base, then run the same command to its end."""
        place = self.bases[point.base].copy(self.root / f"kill-{number}")
        dead = self.kill_at(point, place, whole_group=number % 2 == 1)
        line = self.finish(place, str(point))
        parent = place.records.run(line["run_id"]).envelope.parent if line else None
        if line and point.is_announced and dead is not None:
            self._expect(parent == dead, f"{point}: the parent is {parent}, not {dead}")
        for stage in line.get("stages", [])[: point.finished]:
            self._expect(stage["cache"] == "hit", f"{point}: {stage['name']} was computed again")
        shutil.rmtree(place.folder)

    def chained(self, points: Iterable[Point], number: int) -> None:
        """Kill at each point in turn, every time on what the kill before left behind."""
        place = self.bases[self.stages[0]].copy(self.root / f"chain-{number}")
        for turn, point in enumerate(points):
            self.kill_at(point._replace(n=1), place, whole_group=(turn + number) % 2 == 1)
        self.finish(place, f"chain {number}")

    def finish(self, place: Place, what: str) -> dict[str, Any]:
        """Run the same command to its end and look at result and registry."""
        line = place.run()
        if line["code"] != 0:
            self._note(f"{what}: {line['stderr'][-300:]}")
            return {}
        self._expect(line["result_id"] == self.result_id, f"{what}: another result")
        versions = [(v.model, v.version, v.aliases) for v in place.records.versions()]
        self._expect(versions == [("tiny", 1, ("challenger",))], f"{what}: versions {versions}")
        for problem in problems_of(place):
            self._note(f"{what}, afterwards: {problem}")
        return line

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self._note(otherwise)

    def _note(self, trouble: str) -> None:
        self.trouble.append(trouble)
        print(f"WRONG: {trouble}", file=sys.stderr)  # noqa: T201 - a campaign is long


def _undo(base: Place, keys: Iterable[str]) -> None:
    """Take back the run, its registration and the stages with these keys, with all they made."""
    store = base.records.workspace.store
    for key in keys:
        store.delete_record(pointer_key(key))
    for path in [*base.folder.glob("registry.db*"), *base.store.glob("digests.db*")]:
        path.unlink()
    for folder in (base.store / "runs", base.store / "code"):
        shutil.rmtree(folder)
    base.records.collect_garbage(stages_unused_days=None)


def _points(base: str, trace: Sequence[str], *, is_first: bool, is_last: bool) -> list[Point]:
    """The points of its stage; of the first base also those before, of the last those after."""
    number = STAGE_NAMES.index(base) + 1
    hits: Counter[str] = Counter()
    found = []
    for position, name in enumerate(trace):
        hits[name] += 1
        at = hits["stage.next"]
        is_wanted = at == number or (is_first and at < number) or (is_last and at > number)
        if is_wanted:
            finished = number - 1 + hits["stage.pointed"]
            found.append(
                Point(
                    *(base, name, hits[name], position, finished),
                    is_announced=hits["record.announced"] > 0,
                    may_be_sealed=hits["record.envelope_stored"] > 0,
                    must_be_sealed=hits["run.sealed"] > 0,
                )
            )
    return found


def taken(points: Sequence[Point], how: str, seed: int) -> list[Point]:
    """All points; or of each name in each base the first and the last; or a sample besides."""
    if how == "all":
        return list(points)
    ends: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        ends.setdefault((point.base, point.name), []).append(point)
    chosen = {point for hits in ends.values() for point in (hits[0], hits[-1])}
    rest = [point for point in points if point not in chosen]
    n_more = int(how.partition(":")[2] or 0)
    if how.startswith("random"):
        return random.Random(seed).sample(list(points), n_more)  # noqa: S311 - no secret
    more = random.Random(seed).sample(rest, min(n_more, len(rest)))  # noqa: S311 - no secret
    return [point for point in points if point in chosen | set(more)]


def _once_each(points: Sequence[Point]) -> list[Point]:
    first: dict[str, Point] = {}
    for point in points:
        first.setdefault(point.name, point)
    return list(first.values())


def run_campaign(campaign: Campaign, given: argparse.Namespace) -> dict[str, Any]:
    """Kill at all that is wanted; returns what happened."""
    started = time.monotonic()
    campaign.prepare()
    prepared_s = time.monotonic() - started
    with ThreadPoolExecutor(given.jobs) as pool:
        if given.chain:
            points = _once_each(campaign.points)
            chains = [points[number :: given.jobs] for number in range(given.jobs)]
            list(pool.map(campaign.chained, chains, range(given.jobs)))
        else:
            points = taken(campaign.points, given.take, given.seed)
            list(pool.map(campaign.alone, points, range(len(points))))
    wanted = {name for name in names_in_source() if not name.startswith(OTHERS)}
    never = sorted((wanted | set(given.also)) - set(campaign.reached))
    return {
        "names": len(wanted),
        "points": len(campaign.points),
        "kills": sum(campaign.reached.values()),
        "never_reached": [] if given.take.startswith("random") else never,
        "trouble": campaign.trouble,
        "longest_gone_s": round(campaign.longest_gone_s, 1),
        "prepared_s": round(prepared_s, 1),
        "wall_s": round(time.monotonic() - started, 1),
    }


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--take", default="ends", help="all, ends, sample:N or random:N")
    parser.add_argument("--chain", action="store_true", help="each name once, one on another")
    parser.add_argument("--stages", default=",".join(STAGE_NAMES))
    parser.add_argument("--own-clusters", action="store_true", help="join none that is shared")
    parser.add_argument("--jobs", type=int, default=1, help="kills at the same time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--also", nargs="*", default=[], help="further names that must be reached")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-campaign-"))
        head = None if given.own_clusters else stack.enter_context(running_head())
        outcome = run_campaign(Campaign(Path(folder), head, given.stages.split(",")), given)
    print(json.dumps(outcome))  # noqa: T201 - the result
    return 4 if outcome["trouble"] or outcome["never_reached"] else 0


if __name__ == "__main__":
    sys.exit(main())
