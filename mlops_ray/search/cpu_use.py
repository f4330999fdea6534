"""CPU-seconds of a search: what its slots asked for, and what its fits used."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CpuUse"]


class CpuUse:
    """Adds up what slots report, from the moment the first of them is there.

    A slot reports the CPU time of its process at the end of each step; what a slot used that died,
    and what starting processes takes, is not in it.

    Args:
        clock: Seconds that only grow.

    Attributes:
        cpus: CPUs that the slots ask for together.
        used_s: CPU-seconds that steps took, all threads of their processes together.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s: float | None = None
        self._ended_s: float | None = None
        self.cpus = 0.0
        self.used_s = 0.0

    def begin(self) -> None:
        """A slot is there; only the first counts."""
        if self._began_s is None:
            self._began_s = self._clock()

    def add(self, cpu_s: float) -> None:
        """A step has ended that took so much CPU time."""
        self.used_s += cpu_s
        self.end()

    def end(self) -> None:
        """Slots were held up to now, also by steps that were lost."""
        self._ended_s = self._clock()

    @property
    def wall_s(self) -> float:
        """Seconds from the first slot to the end of the latest step, or of the search."""
        if self._began_s is None or self._ended_s is None:
            return 0.0
        return self._ended_s - self._began_s

    @property
    def asked_s(self) -> float:
        """CPU-seconds that the slots held meanwhile."""
        return self.cpus * self.wall_s

    @property
    def cpus_used(self) -> float | None:
        """CPUs kept busy on average; None before anything was measured."""
        return self.used_s / self.wall_s if self.wall_s > 0 else None
