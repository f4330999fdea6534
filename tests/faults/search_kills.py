"""Drivers killed at random moments of a search, and ledgers torn. A part of `search_campaign`."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from determinism_campaign import environment, waits
from kill_processes import is_in
from killed_run import Place, problems_of
from ray_head import running_head
from search_ledger import Ledger, answer_of_line, n_redone, steps_begun
from search_runs import SEARCHES, Notes, overrides_of, write_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ray_head import Head
    from search_ledger import Step

N_TRIALS = 16
SLOTS = 2  # Of a head with two CPUs: as many configurations run at a time.
MOST_KILLS = 5  # Of one search.
LONGEST_WAIT_S = 0.4
SAME = ("trials", "winner", "bundle", "result_id")


@dataclass
class Chain:
    """One search, killed again and again.

    Attributes:
        place: Where it runs.
        notes: Of its trials.
        chance: Draws moments and lengths.
        expect: Notes what is not as it has to be.
        what: Its name in the report.
    """

    place: Place
    notes: Notes
    chance: random.Random
    expect: Callable[[bool, str], None]
    what: str
    n_killed: int = 0
    n_torn: int = 0
    n_lines: list[int] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        """Of the search while it goes on."""
        return Ledger(self.place.store)

    def run(self, most: int) -> dict[str, Any]:
        """Kill so often, then let it end; returns its line of JSON."""
        self.notes.forget()
        n_begun = 0
        kept: set[Step] = set()
        while self.n_killed < most and self._is_killed():
            self._look(n_begun, kept)
            if self.n_killed % 2 == 0:
                self._tear()
            n_begun, kept = len(self.notes.of("begun")), self.ledger.kept()
            self.n_lines.append(len(kept))
        line = self.place.run()
        self._look(n_begun, kept)
        most_redone = SLOTS * self.n_killed + self.n_torn
        self.expect(self.n_redone <= most_redone, f"{self.what}: {self.n_redone} steps redone")
        return line

    @property
    def n_redone(self) -> int:
        """How often a step was begun that had been begun before."""
        return n_redone(self.notes)

    def _is_killed(self) -> bool:
        """Kill the driver some records from now and a moment later, unless it ends before."""
        n_lines = len(self.ledger.lines()) + self.chance.randrange(N_TRIALS // MOST_KILLS + 2)
        wait_s = self.chance.uniform(0.0, LONGEST_WAIT_S)
        started = self.place.start()
        is_there = is_in(started, "search") and started.awaits(
            lambda: len(self.ledger.lines()) >= n_lines
        )
        if not is_there or started.ends_within(wait_s):
            return False
        started.kill(whole_group=self.chance.random() < 0.5)
        self.n_killed += 1
        print(f"{self.what}: kill {self.n_killed}", file=sys.stderr)  # noqa: T201 - the progress
        for problem in problems_of(self.place):
            self.expect(False, f"{self.what}: {problem}")
        return True

    def _tear(self) -> None:
        """Cut the last record of the ledger anywhere, as a power cut does."""
        if records := self.ledger.lines():
            path = self.ledger.path
            assert path is not None
            n_cut = self.chance.randrange(1, len(records[-1]) + 1)
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size - n_cut)
            self.n_torn += 1

    def _look(self, n_begun: int, kept: set[Step]) -> None:
        """What stands in the ledger must not be done again."""
        again = steps_begun(self.notes, n_begun) & kept
        self.expect(not again, f"{self.what}: {again} done again")


@dataclass
class Kills:
    """All kills of one project.

    Attributes:
        folder: For everything.
        seed: What moments and lengths are drawn from.
        expect: Notes what is not as it has to be.
    """

    folder: Path
    seed: int
    expect: Callable[[bool, str], None]

    def kill(self, wanted: int) -> dict[str, Any]:
        """Kill so many drivers, search after search."""
        self.folder.mkdir()
        project = write_project(self.folder / "project")
        notes = Notes(self.folder / "ledger")
        chains: list[Chain] = []
        notes.forget()
        disturbed = environment(waits(6, LONGEST_WAIT_S, DISTURBED_LEDGER=str(notes.path)))
        with running_head(SLOTS, disturbed) as head:
            while (n_left := wanted - sum(chain.n_killed for chain in chains)) > 0:
                chains.append(self._killed(project, head, notes, len(chains), n_left))
        return {
            "seed": self.seed,
            "kills": sum(chain.n_killed for chain in chains),
            "searches": len(chains),
            "records_kept": [chain.n_lines for chain in chains],
            "torn": sum(chain.n_torn for chain in chains),
            "steps_redone": sum(chain.n_redone for chain in chains),
        }

    def _killed(self, project: Path, head: Head, notes: Notes, number: int, most: int) -> Chain:
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - no secret
        name = list(SEARCHES)[(self.seed + number) % len(SEARCHES)]
        overrides = overrides_of(name, 50 + number, n_trials=N_TRIALS)
        whole = Place.made(project, self.folder / f"whole-{number}", head)
        place = Place.made(project, self.folder / f"killed-{number}", head)
        whole.overrides = place.overrides = overrides
        wanted = answer_of_line(whole, whole.run())
        what = f"search {number} ({name})"
        chain = Chain(place, notes, chance, self.expect, what)
        answer = answer_of_line(place, chain.run(min(most, MOST_KILLS)))
        differs = [member for member in SAME if answer[member] != wanted[member]]
        self.expect(not differs, f"{what}: other {differs}")
        self.expect(chain.n_killed > 0, f"{what}: ended before it was killed")
        for problem in problems_of(place):
            self.expect(False, f"{what}, afterwards: {problem}")
        return chain
