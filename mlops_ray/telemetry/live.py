"""Progress on a terminal: finished stages as lines, the running one as a display that changes."""

from __future__ import annotations

import atexit
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner

from mlops_ray.telemetry.leader_table import leader_table
from mlops_ray.telemetry.wording import duration_text, standing_text

if TYPE_CHECKING:
    from mlops_ray.telemetry.standing import Standing

__all__ = ["LiveProgress"]

_FRAMES_PER_SECOND: Final = 5
_ROWS_AROUND_A_TABLE: Final = 6  # Stages above, its own heading, the changing line, the prompt.


class LiveProgress:
    """Shows the running stage on one changing line, a search as a table above it, best first.

    Drawing happens a few times a second in a thread of its own, whatever the trials do.
    ``NO_COLOR`` is respected. What others write to stderr meanwhile appears above, so an error is
    readable even where nobody calls `close`.

    Args:
        console: Where to draw; stderr by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._spinner = Spinner("dots")
        self._place = ""
        self._standing: Standing | None = None
        self._started_at_s = 0.0

    def stage_started(self, name: str, index: int, n: int) -> None:
        """Show the stage on the changing line."""
        self._place = f"[{index}/{n}] {name}"
        self._standing = None
        self._started_at_s = time.monotonic()
        if self._live is None:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                transient=True,
                refresh_per_second=_FRAMES_PER_SECOND,
                redirect_stdout=False,  # Stdout carries results, byte for byte.
            )
            self._live.start()
            atexit.register(self.close)

    def stage_finished(self, name: str, wall_s: float) -> None:
        """Leave the stage behind as a line."""
        detail, self._standing = self._detail(), None
        place = self._place or name
        self._line(f"{place:<16} {duration_text(wall_s):>12}  {detail}".rstrip())

    def stage_reused(self, name: str) -> None:
        """Leave the stage behind as a line, with no time."""
        self._standing = None
        self._line(f"{self._place or name:<16} {'reused':>12}")

    def trial_finished(self, standing: Standing) -> None:
        """Show how the search stands, with the next frame."""
        self._standing = standing

    def note(self, text: str) -> None:
        """Leave `text` behind as a line."""
        self._line(text)

    def close(self) -> None:
        """Remove the changing part and give the cursor back; may be called twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self.close)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _detail(self) -> str:
        return standing_text(self._standing) if self._standing else ""

    def _render(self) -> RenderableType:
        elapsed = duration_text(time.monotonic() - self._started_at_s)
        parts = [self._place, elapsed, self._detail()]
        self._spinner.update(text="  ".join(part for part in parts if part))
        standing, room = self._standing, self._console.height - _ROWS_AROUND_A_TABLE
        if standing is None or not standing.leaders or room < 1:
            return self._spinner
        return Group(leader_table(standing, room), self._spinner)
