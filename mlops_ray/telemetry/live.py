"""Progress on a terminal: finished stages as lines, the running one as a line that changes."""

from __future__ import annotations

import atexit
import time

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

from mlops_ray.telemetry.wording import duration_text, trials_text

__all__ = ["LiveProgress"]


class LiveProgress:
    """Shows the running stage on one changing line; ``NO_COLOR`` is respected.

    What others write to stderr meanwhile appears above that line, so an error is readable even
    where nobody calls `close`.

    Args:
        console: Where to draw; stderr by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._spinner = Spinner("dots")
        self._place = ""
        self._detail = ""
        self._started_at_s = 0.0

    def stage_started(self, name: str, index: int, n: int) -> None:
        """Show the stage on the changing line."""
        self._place = f"[{index}/{n}] {name}"
        self._detail = ""
        self._started_at_s = time.monotonic()
        if self._live is None:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                transient=True,
                refresh_per_second=8,
                redirect_stdout=False,  # Stdout carries results, byte for byte.
            )
            self._live.start()
            atexit.register(self.close)

    def stage_finished(self, name: str, wall_s: float) -> None:
        """Leave the stage behind as a line."""
        place = self._place or name
        self._line(f"{place:<16} {duration_text(wall_s):>12}  {self._detail}".rstrip())
        self._detail = ""

    def stage_reused(self, name: str) -> None:
        """Leave the stage behind as a line, with no time."""
        self._line(f"{self._place or name:<16} {'reused':>12}")
        self._detail = ""

    def trial_finished(
        self, done: int, total: int, value: float | None, best: float | None, eta_s: float | None
    ) -> None:
        """Show how far the search is."""
        del value
        self._detail = trials_text(done, total, best, eta_s)

    def note(self, text: str) -> None:
        """Leave `text` behind as a line."""
        self._line(text)

    def close(self) -> None:
        """Remove the changing line and give the cursor back; may be called twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self.close)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _render(self) -> Spinner:
        elapsed = duration_text(time.monotonic() - self._started_at_s)
        parts = [self._place, elapsed, self._detail]
        self._spinner.update(text="  ".join(part for part in parts if part))
        return self._spinner
