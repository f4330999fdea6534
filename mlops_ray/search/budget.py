"""The time of a search: once it is over, no further generation is dealt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Budget"]


class Budget:
    """A number of seconds that begins with the first look at it.

    Args:
        seconds: How many; None for no end.
        clock: Seconds that only grow.
    """

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began_s: float | None = None

    @property
    def left_s(self) -> float | None:
        """Seconds that are left, at least 0; None where there is no end."""
        if self._seconds is None:
            return None
        now_s = self._clock()
        if self._began_s is None:
            self._began_s = now_s
        return max(0.0, self._seconds - (now_s - self._began_s))

    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.left_s == 0.0
