"""Peak memory of a run: of this process and all its descendants, workers of Ray included.

The proportional set size counts each shared page once over all processes, so the object store is
not counted again for each worker that maps it, as the resident set size would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from mlops_ray.runtime.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PeakMemory", "tree_pss_bytes"]


class PeakMemory(Sampling):
    """Samples the memory of the process tree in a thread, for the length of a block.

    Args:
        interval_s: Seconds between two samples; a spike that is shorter may be missed.

    Attributes:
        peak_pss_bytes: Largest sum seen; None where the system does not tell (only Linux does).

    Example:
        >>> with PeakMemory() as memory:
        ...     block = bytearray(1000)
        >>> memory.peak_pss_bytes is None or memory.peak_pss_bytes > 1000
        True
    """

    def __init__(self, interval_s: float = 1.0) -> None:
        super().__init__(interval_s)
        self.peak_pss_bytes: int | None = None

    def _sample(self) -> None:
        root = psutil.Process()
        found = tree_pss_bytes([root, *root.children(recursive=True)])
        if found is not None:
            self.peak_pss_bytes = max(found, self.peak_pss_bytes or 0)


def tree_pss_bytes(processes: Iterable[psutil.Process]) -> int | None:
    """Sum of the proportional set sizes; a process that has just ended counts nothing.

    Returns:
        None where the system does not tell the proportional set size.
    """
    total: int | None = None
    for process in processes:
        try:
            pss = getattr(process.memory_full_info(), "pss", None)
        except psutil.Error:
            continue
        if pss is not None:
            total = (total or 0) + pss
    return total
