"""CPU time of a run: of this process and all its descendants, workers of a local Ray included."""

from __future__ import annotations

from typing import Self

import psutil

from mlops_ray.runtime.sampling import Sampling

__all__ = ["CpuTime", "tree_cpu_s"]


class CpuTime(Sampling):
    """Samples the CPU time of the process tree in a thread, for the length of a block.

    Ray ends its processes without waiting for each, and their times are lost then, so the largest
    sum seen counts. What was used in the last interval before a cluster ended may be missing.

    Args:
        interval_s: Seconds between two samples.

    Attributes:
        cpu_s: CPU seconds since the block began; None where the system does not tell.

    Example:
        >>> with CpuTime() as used:
        ...     total = sum(range(1000))
        >>> used.cpu_s is None or used.cpu_s >= 0
        True
    """

    def __init__(self, interval_s: float = 1.0) -> None:
        super().__init__(interval_s)
        self.cpu_s: float | None = None
        self._before_s: float | None = None

    def __enter__(self) -> Self:
        self._before_s = tree_cpu_s()
        return super().__enter__()

    def _sample(self) -> None:
        now_s = tree_cpu_s()
        if now_s is not None and self._before_s is not None:
            self.cpu_s = max(now_s - self._before_s, self.cpu_s or 0.0)


def tree_cpu_s() -> float | None:
    """CPU seconds, user and system, of the process tree since each of its processes began.

    A child that has ended and was waited for counts towards its parent.

    Returns:
        None where the system does not tell the times of children that have ended.
    """
    root = psutil.Process()
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:  # It ended just now.
            continue
        if not hasattr(times, "children_user"):
            return None
        total += times.user + times.system + times.children_user + times.children_system
    return total
