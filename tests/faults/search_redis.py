"""Heads whose Redis goes away in the middle of a search, and comes back. Part of `search_campaign`.

Redis is `redis-server` of the Linux distribution; where there is none the part says it was skipped.
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
from determinism_campaign import environment, waits
from kill_processes import is_in
from killed_run import Place, problems_of
from ray_head import running_head
from search_ledger import Ledger, answer_of_line, n_redone
from search_runs import SEARCHES, Notes, overrides_of, write_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from killed_run import Started
    from ray_head import Head

SERVER = shutil.which("redis-server")
N_TRIALS = 40
MOST_STOPS = 2  # Of one search; what runs when Redis goes ends only after a second or two.
SLOTS = 2
LONGEST_WAIT_S = 0.6
LONGEST_DOWN_S = 6.0
COMES_BACK_WITHIN_S = 90.0
MOST_GROWTH = 1.25  # Of what the head's processes hold in memory, without workers.
SAME = ("trials", "winner", "bundle", "result_id")
# How it goes, and with what it comes back.
WAYS = ("told to end", "killed", "killed, and has lost everything")


@dataclass
class Redis:
    """A server of its own at a port that stays.

    Attributes:
        folder: For what it keeps.
    """

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
        self.folder.mkdir(exist_ok=True)
        assert SERVER is not None
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [SERVER, *where, "--appendonly", "yes", "--save", ""], stdout=log, stderr=log
            )
        deadline = time.monotonic() + COMES_BACK_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.05)

    def stop(self, way: str = WAYS[0]) -> None:
        """End it in one of the ways."""
        assert self._process is not None
        if way == WAYS[0]:
            self._process.terminate()
        else:
            self._process.kill()
        self._process.wait()
        if way == WAYS[2]:
            shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@dataclass
class Stops:
    """All stops of the Redis of one head.

    Attributes:
        folder: For everything.
        seed: What moments and lengths are drawn from.
        expect: Notes what is not as it has to be.
    """

    folder: Path
    seed: int
    expect: Callable[[bool, str], None]
    redis: Redis = field(init=False)
    notes: Notes = field(init=False)
    back_s: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    n_redone: int = 0

    def stop(self, wanted: int) -> dict[str, Any]:
        """Stop it so often, search after search, each of whose commands is given once."""
        if SERVER is None:
            skipped = "there is no redis-server (Debian: apt-get install redis-server)"
            print(f"SKIPPED: {skipped}", file=sys.stderr)  # noqa: T201 - nobody saw it work
            return {"skipped": skipped}
        self.folder.mkdir()
        project = write_project(self.folder / "project")
        self.notes, self.redis = Notes(self.folder / "ledger"), Redis(self.folder / "redis")
        disturbed = waits(6, LONGEST_WAIT_S, DISTURBED_LEDGER=str(self.notes.path))
        self.notes.forget()
        self.redis.start()
        n_searches = 0
        try:
            at = {"RAY_REDIS_ADDRESS": f"127.0.0.1:{self.redis.port}"}
            with running_head(SLOTS, environment(disturbed), **at) as head:
                while len(self.back_s) < wanted and n_searches < wanted:
                    self._search(head, project, n_searches, wanted)
                    n_searches += 1
        finally:
            self.redis.stop()
        is_bounded = max(self.held) <= MOST_GROWTH * self.held[0]
        self.expect(is_bounded, f"memory of the head grew: {self.held}")
        return {
            "seed": self.seed,
            "stops": len(self.back_s),
            "searches": n_searches,
            "steps_redone": self.n_redone,
            "back_after_s": self.back_s,
            "head_mib": [n_bytes >> 20 for n_bytes in self.held],
        }

    def _search(self, head: Head, project: Path, number: int, wanted: int) -> None:
        name = list(SEARCHES)[(self.seed + number) % len(SEARCHES)]
        what, n_before = f"search {number} ({name})", len(self.back_s)
        whole = Place.made(project, self.folder / f"whole-{number}", head)
        place = Place.made(project, self.folder / f"stopped-{number}", head)
        whole.overrides = place.overrides = overrides_of(name, 90 + number, n_trials=N_TRIALS)
        undisturbed = answer_of_line(whole, whole.run())
        self.held = self.held or [held_bytes(head)]
        self.notes.forget()
        started = place.start(MLOPS_RAY_HEAD_TIMEOUT_S=str(COMES_BACK_WITHIN_S))
        most = min(wanted, n_before + MOST_STOPS)
        while len(self.back_s) < most and self._is_stopped(head, started, Ledger(place.store)):
            pass
        n_stops = len(self.back_s) - n_before
        answer, redone = answer_of_line(place, started.ended()), n_redone(self.notes)
        self.n_redone += redone
        differs = [member for member in SAME if answer[member] != undisturbed[member]]
        self.expect(n_stops > 0, f"{what}: ended before Redis was stopped")
        self.expect(redone <= SLOTS * n_stops, f"{what}: {redone} steps redone")
        self.expect(not differs, f"{what}: other {differs}")
        for problem in problems_of(place):
            self.expect(False, f"{what}: {problem}")

    def _is_stopped(self, head: Head, started: Started, ledger: Ledger) -> bool:
        """Stop it some records from now, and await the head; False where the search ended first."""
        number, n_starts = len(self.back_s), len(head.said("takes jobs"))
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - no secret
        way, down_s = WAYS[number % len(WAYS)], chance.uniform(0, LONGEST_DOWN_S)
        n_lines = len(ledger.lines()) + chance.randrange(1, 5)
        is_there = is_in(started, "search") and started.awaits(
            lambda: len(ledger.lines()) >= n_lines
        )
        if not is_there:
            return False
        self.redis.stop(way)
        print(f"stop {number} ({way}): gone for {down_s:.1f} s", file=sys.stderr)  # noqa: T201
        time.sleep(down_s)  # This is the fault, not a wait for something.
        self.held.append(held_bytes(head))
        self.redis.start()
        since = time.monotonic()
        is_back = started.awaits(lambda: len(head.said("takes jobs")) > n_starts)
        self.expect(is_back, f"stop {number}: the driver ended")
        self.back_s.append(round(time.monotonic() - since, 1))
        self.held.append(held_bytes(head))
        return is_back


def held_bytes(head: Head) -> int:
    """What a head's own processes hold in memory, without workers."""
    workers = {worker.pid for worker in head.workers()}
    total = 0
    for process in head.processes():
        with suppress(psutil.NoSuchProcess):  # Ended meanwhile.
            total += process.memory_info().rss * (process.pid not in workers)
    return total
