"""Looks at something again and again in a thread, for the length of a block."""

from __future__ import annotations

import threading
from typing import Self

__all__ = ["Sampling"]


class Sampling:
    """Calls `_sample` when a block begins, then at intervals, and when it ends.

    Args:
        interval_s: Seconds between two samples.
    """

    def __init__(self, interval_s: float = 1.0) -> None:
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampling", daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _sample(self) -> None:
        raise NotImplementedError

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._sample()
