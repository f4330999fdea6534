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
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            try:
                tree = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                return
            self.peak_bytes = max(self.peak_bytes, sum(map(self._look, tree)))
            if self._spills_below:
                self.spilled_bytes = max(self.spilled_bytes, spilled_bytes(self._spills_below))
            time.sleep(0.1)

    def _look(self, process: psutil.Process) -> int:
        try:
            times = process.cpu_times()
            self._cpu_s[process.pid] = times.user + times.system
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
