"""Histograms of times: bins of 2^k microseconds or days, no finer than 512 bins allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.dyadic import level_of, shifted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MAX_BINS", "TimeHistogram"]

MAX_BINS: Final = 512
_DENSE_BITS: Final = 17
_NONE: Final = np.zeros(0, dtype=np.int64)
_NONE.flags.writeable = False


@dataclass(frozen=True, eq=False, slots=True)
class TimeHistogram:
    """Counts of times in bins of equal width.

    Attributes:
        level: A bin is 2^level ticks wide; the lowest that fills no more than `MAX_BINS`.
        bins: Numbers of the filled bins, increasing: a bin starts at its number times its width.
        counts: Times in each of them, all above 0.
    """

    level: int = 0
    bins: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    counts: NDArray[np.int64] = field(default_factory=lambda: _NONE)

    @classmethod
    def of(cls, ticks: NDArray[np.int64]) -> Self:
        """Histogram of times in microseconds or days.

        Example:
            >>> TimeHistogram.of(np.arange(2000)).level
            2
        """
        if not ticks.size:
            return cls()
        lowest, highest = int(ticks.min()), int(ticks.max())
        level = max(0, (highest - lowest).bit_length() - _DENSE_BITS)
        rows = np.bincount(shifted(ticks, level) - (lowest >> level))
        if level and np.count_nonzero(rows) <= MAX_BINS:  # A finer level might do.
            bins, counts = np.unique(ticks, return_counts=True)
            return cls._at_most(0, bins, counts.astype(np.int64))
        filled = np.flatnonzero(rows)
        return cls._at_most(level, filled + (lowest >> level), rows[filled])

    @classmethod
    def merged(cls, parts: Sequence[TimeHistogram]) -> Self:
        """Histogram of all parts together."""
        level = max(part.level for part in parts)
        same = [part.at_level(level) for part in parts]
        bins = np.concatenate([part.bins for part in same])
        return cls._at_most(level, *_added(bins, np.concatenate([part.counts for part in same])))

    @classmethod
    def _at_most(cls, level: int, bins: NDArray[np.int64], counts: NDArray[np.int64]) -> Self:
        coarser = level_of(bins, MAX_BINS)
        return cls(level + coarser, *_added(shifted(bins, coarser), counts))

    @property
    def n(self) -> int:
        """Times counted."""
        return int(self.counts.sum())

    def at_level(self, level: int) -> TimeHistogram:
        """The same in wider bins, 2^level ticks each."""
        wider = shifted(self.bins, level - self.level)
        return TimeHistogram(level, *_added(wider, self.counts))

    def __eq__(self, other: object) -> bool:
        """Whether the other counts the same."""
        return (
            isinstance(other, TimeHistogram)
            and self.level == other.level
            and np.array_equal(self.bins, other.bins)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]  # Arrays have none.

    def to_json(self) -> dict[str, Any]:
        """As plain JSON: the first bin, the steps to the others, and the counts."""
        first = int(self.bins[0]) if self.bins.size else 0
        steps, counts = np.diff(self.bins).tolist(), self.counts.tolist()
        return {"level": self.level, "first": first, "steps": steps, "counts": counts}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`; large integers come back from canonical JSON as strings."""
        counts = np.array(value["counts"], dtype=np.int64)
        steps = [int(value["first"]), *(int(step) for step in value["steps"])]
        bins = np.cumsum(np.array(steps, dtype=np.int64))
        return cls(value["level"], bins[: counts.size], counts)


def _added(
    bins: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each bin once, with the sum of its counts."""
    distinct, at = np.unique(bins, return_inverse=True)
    total = np.zeros(distinct.size, dtype=np.int64)
    np.add.at(total, at, counts)
    return distinct, total
