"""What a run reports of itself while it runs, and who listens."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol, TextIO

from mlops_ray.telemetry.live import LiveProgress
from mlops_ray.telemetry.plain import PlainProgress

if TYPE_CHECKING:
    from mlops_ray.telemetry.log import RunLog
    from mlops_ray.telemetry.standing import Standing

__all__ = [
    "LiveProgress",
    "LoggedProgress",
    "PlainProgress",
    "Progress",
    "SilentProgress",
    "terminal_progress",
]


class Progress(Protocol):
    """A listener to the stages and trials of a run; it must not raise."""

    def stage_started(self, name: str, index: int, n: int) -> None:
        """A stage begins, the `index`-th of `n`, counted from 1."""

    def stage_finished(self, name: str, wall_s: float) -> None:
        """A stage has ended without an error, after `wall_s` seconds."""

    def stage_reused(self, name: str) -> None:
        """A stage's outputs were found in the store, whole; it was not computed."""

    def trial_finished(self, standing: Standing) -> None:
        """A trial has ended, and this is how the search stands."""

    def note(self, text: str) -> None:
        """Something worth a line has happened."""

    def close(self) -> None:
        """The run is over, with or without an error; may be called twice."""


class SilentProgress:
    """Listens to everything and says nothing; for notebooks and tests."""

    def stage_started(self, name: str, index: int, n: int) -> None:
        """Say nothing."""

    def stage_finished(self, name: str, wall_s: float) -> None:
        """Say nothing."""

    def stage_reused(self, name: str) -> None:
        """Say nothing."""

    def trial_finished(self, standing: Standing) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class LoggedProgress:
    """Writes every event to the run's log and passes it on.

    Args:
        log: The run's log; its lines name the stage that is running.
        progress: Who else listens.
    """

    def __init__(self, log: RunLog, progress: Progress) -> None:
        self._log = log
        self._progress = progress

    def stage_started(self, name: str, index: int, n: int) -> None:
        """Log and pass on."""
        self._log.stage = name
        self._log.write("stage_started", index=index, n=n)
        self._progress.stage_started(name, index, n)

    def stage_finished(self, name: str, wall_s: float) -> None:
        """Log and pass on."""
        self._log.write("stage_finished", wall_s=round(wall_s, 3))
        self._log.stage = ""
        self._progress.stage_finished(name, wall_s)

    def stage_reused(self, name: str) -> None:
        """Log and pass on."""
        self._log.write("stage_reused")
        self._log.stage = ""
        self._progress.stage_reused(name)

    def trial_finished(self, standing: Standing) -> None:
        """Log and pass on."""
        last = standing.last
        self._log.write(
            "trial_finished",
            done=standing.done,
            total=standing.total,
            trial=last.index,
            status=last.status,
            value=last.value,
            best=standing.best,
        )
        self._progress.trial_finished(standing)

    def note(self, text: str) -> None:
        """Log and pass on."""
        self._log.write("note", text=text)
        self._progress.note(text)

    def close(self) -> None:
        """Pass on; the log stays open, as more may be written after the stages."""
        self._progress.close()


def terminal_progress(stream: TextIO | None = None, *, is_plain: bool = False) -> Progress:
    """A display that changes where stderr is a terminal, else plain lines.

    Args:
        stream: Where to write lines; stderr, and lines only where it is no terminal, by default.
        is_plain: Lines in any case, for whoever reads a program's answer beside them.
    """
    out = stream or sys.stderr
    is_changing = stream is None and not is_plain
    if is_changing and out.isatty() and os.environ.get("TERM") != "dumb":
        return LiveProgress()
    return PlainProgress(out)
