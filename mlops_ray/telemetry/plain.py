"""Progress as lines, for a log file, a CI job or a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from mlops_ray.telemetry.wording import duration_text, standing_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.telemetry.standing import Standing

__all__ = ["PlainProgress"]


class PlainProgress:
    """Writes a line when a stage starts, ends or says something, and a few lines a search.

    Args:
        stream: Where to write.
        interval_s: Least time between two lines on trials; the last trial is always told.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        stream: TextIO,
        interval_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._clock = clock
        self._told_at_s = float("-inf")
        self._stage = ""

    def stage_started(self, name: str, index: int, n: int) -> None:
        """Name the stage; the trials of an earlier one no longer delay a line."""
        self._stage = name
        self._told_at_s = self._clock()
        self._write(f"[{index}/{n}] {name}")

    def stage_finished(self, name: str, wall_s: float) -> None:
        """Tell what the stage took."""
        self._write(f"      {name} took {duration_text(wall_s)}")

    def stage_reused(self, name: str) -> None:
        """Tell that nothing had to be computed."""
        self._write(f"      {name} reused from the store")

    def trial_finished(self, standing: Standing) -> None:
        """Tell how the search stands, unless that was told a moment ago."""
        now_s = self._clock()
        if standing.done == standing.total or now_s - self._told_at_s >= self._interval_s:
            self._told_at_s = now_s
            self._write(f"      {self._stage}: {standing_text(standing)}")

    def note(self, text: str) -> None:
        """Write `text` as a line of its own."""
        self._write(f"      {text}")

    def close(self) -> None:
        """Nothing is open: every line was flushed."""

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
