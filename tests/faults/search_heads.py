"""Heads that end in the middle of a search, and drivers with them. A part of `search_campaign`."""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psutil
from determinism_campaign import environment, waits
from kill_processes import is_in
from killed_run import Place, problems_of
from ray_head import running_head
from search_ledger import Ledger, answer_of_line, n_redone, steps_begun
from search_runs import SEARCHES, Notes, overrides_of, write_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from killed_run import Started
    from ray_head import Head

N_TRIALS = 16
SLOTS = 2
LONGEST_WAIT_S = 0.4
CLUSTER_LOST = 69
PATIENCE_S = 10  # Of Ray; a driver of ours ends 5 s before it, or a little later.
ENDS_WITHIN_S = PATIENCE_S + 10.0
# What dies: the control store alone, all that the head has started, or that and the driver.
VICTIMS = ("control store", "head", "head and driver")
SAME = ("trials", "winner", "bundle", "result_id")


@dataclass
class Heads:
    """All heads that one project loses.

    Attributes:
        folder: For everything.
        seed: What moments are drawn from.
        expect: Notes what is not as it has to be.
    """

    folder: Path
    seed: int
    expect: Callable[[bool, str], None]

    def lose(self, n_heads: int) -> dict[str, Any]:
        """Lose so many, each in the middle of a search, and go on with another."""
        self.folder.mkdir()
        project = write_project(self.folder / "project")
        notes = Notes(self.folder / "ledger")
        notes.forget()
        disturbed = environment(waits(6, LONGEST_WAIT_S, DISTURBED_LEDGER=str(notes.path)))
        lost = [self._lost(project, notes, disturbed, number) for number in range(n_heads)]
        return {"seed": self.seed, "heads": lost}

    def _lost(
        self, project: Path, notes: Notes, disturbed: dict[str, str], number: int
    ) -> dict[str, Any]:
        name = list(SEARCHES)[(self.seed + number) % len(SEARCHES)]
        victim = VICTIMS[number % len(VICTIMS)]
        what = f"head {number} ({victim}, {name})"
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - no secret
        place = Place(project, self.folder / f"lost-{number}")
        place.folder.mkdir()
        place.overrides = overrides_of(name, 70 + number, n_trials=N_TRIALS)
        ledger = Ledger(place.store)
        notes.forget()
        with running_head(SLOTS, disturbed) as head:
            started = _joined(place, head).start(
                RAY_gcs_rpc_server_reconnect_timeout_s=str(PATIENCE_S)
            )
            n_lines = 1 + chance.randrange(N_TRIALS // 2)
            is_there = is_in(started, "search") and started.awaits(
                lambda: len(ledger.lines()) >= n_lines
            )
            self.expect(is_there, f"{what}: the search ended first")
            self._kill(head, started, victim, what)
        kept, n_begun = ledger.kept(), len(notes.of("begun"))
        for problem in problems_of(place):
            self.expect(False, f"{what}: {problem}")
        with running_head(SLOTS, disturbed) as head:
            answer = answer_of_line(place, _joined(place, head).run())
            redone, again = n_redone(notes), steps_begun(notes, n_begun) & kept
            whole = Place.made(project, self.folder / f"whole-{number}", head)
            whole.overrides = place.overrides
            wanted = answer_of_line(whole, whole.run())
        self.expect(not again, f"{what}: {again} done again")
        self.expect(redone <= SLOTS, f"{what}: {redone} steps redone")
        differs = [member for member in SAME if answer[member] != wanted[member]]
        self.expect(not differs, f"{what}: other {differs}")
        return {"victim": victim, "search": name, "kept": len(kept), "redone": redone}

    def _kill(self, head: Head, started: Started, victim: str, what: str) -> None:
        print(f"{what}: killed", file=sys.stderr)  # noqa: T201 - the progress
        if victim == "head and driver":
            started.process.kill()
        for process in head.processes("gcs_server" if victim == "control store" else ""):
            with suppress(psutil.NoSuchProcess):  # One that ended with another.
                process.kill()
        if victim == "head and driver":
            started.process.wait()
            return
        is_over = started.ends_within(ENDS_WITHIN_S)
        self.expect(is_over, f"{what}: the driver went on without it")
        if not is_over:
            started.kill(whole_group=True)
            return
        line = started.ended()
        said = line["stderr"]
        self.expect(line["code"] == CLUSTER_LOST, f"{what}: exit {line['code']}: {said[-500:]}")
        self.expect(f"{head.port} is lost" in said, f"{what}: it said {said[-500:]}")


def _joined(place: Place, head: Head) -> Place:
    return replace(place, address=head.address, variables=head.variables)
