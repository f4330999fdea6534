"""CPU time and memory of a process and of all that it starts, seen from outside."""

# ruff: noqa: INP001

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

# Each look at a process takes from the CPUs that are measured.
_PAUSE_S = 0.4
# Adding up the memory of a process walks its page tables, while it can map none: of Ray's ten
# processes ten times a second that took a third of a CPU away from what is measured.
_SHARE_OF_A_CPU = 0.04


class Watched:
    """CPU seconds and peak memory of a process and all it starts.

    Attributes:
        cpu_s: User and system time.
        peak_bytes: Largest sum of proportional set sizes seen.
        spilled_bytes: Most that Ray's sessions below a folder had spilled to disk at once.
    """

    def __init__(self, process: subprocess.Popen[str], spills_below: Path | None = None) -> None:
        self.peak_bytes = self.spilled_bytes = 0
        self._spills_below = spills_below
        self._cpu_s: dict[int, float] = {}
        self._root = psutil.Process(process.pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def cpu_s(self) -> float:
        """Seconds of all processes, as they were last seen."""
        return sum(self._cpu_s.values())

    def _watch(self) -> None:
        look_at = 0.0  # When memory is added up again.
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            try:
                tree = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                return
            for process in tree:
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._cpu_s[process.pid] = times.user + times.system
            if time.monotonic() >= look_at:
                started_s = time.thread_time()
                self.peak_bytes = max(self.peak_bytes, sum(map(_memory_bytes, tree)))
                took_s = time.thread_time() - started_s
                look_at = time.monotonic() + took_s / _SHARE_OF_A_CPU
            if self._spills_below:
                self.spilled_bytes = max(self.spilled_bytes, spilled_bytes(self._spills_below))
            time.sleep(_PAUSE_S)


def _memory_bytes(process: psutil.Process) -> int:
    """The proportional set size; 0 of a process that is gone."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def spilled_bytes(folder: Path) -> int:
    """Bytes of the objects that Ray's sessions below a folder hold on disk."""
    found = 0
    with suppress(OSError):  # Something went meanwhile; the next look counts again.
        for path in folder.rglob("ray_spilled_objects*/**/*"):
            found += path.stat().st_size
    return found
