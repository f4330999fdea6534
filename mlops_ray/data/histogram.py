"""Histograms whose buckets have a fixed relative width, so that any two can be added.

A bucket is the sign, the exponent and the top 5 mantissa bits of a float64: 32 buckets an octave.
Its bounds do not depend on the data, so counts of parts add up to the counts of the whole. Any
value is within 1/32 of each bound of its bucket, so a quantile read off is within 3.2 % of the
exact one; whole numbers below 64 have a bucket each and are exact.

Source: after C. Masson, J. Rim, H. Lee, "DDSketch", VLDB 2019 (relative-error buckets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Histogram", "bucket_lower_bounds"]

_SHIFT: Final = 47  # 64 bits less sign, 11 exponent and 5 mantissa bits.


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values in relative-width buckets.

    Attributes:
        buckets: Numbers of the filled buckets, increasing; their order is that of the values.
        counts: Values in each of them, all above 0.
    """

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """Histogram of values without NaN and without -0.0."""
        bits = values.view(np.int64)
        magnitude = (bits & np.int64(2**63 - 1)) >> np.int64(_SHIFT)
        numbers = np.where(bits < 0, -magnitude - 1, magnitude)
        buckets, counts = np.unique(numbers, return_counts=True)
        return cls(tuple(buckets.tolist()), tuple(counts.tolist()))

    def __add__(self, other: Histogram) -> Histogram:
        """Histogram of both parts together."""
        merged = dict(zip(self.buckets, self.counts, strict=True))
        for bucket, count in zip(other.buckets, other.counts, strict=True):
            merged[bucket] = merged.get(bucket, 0) + count
        buckets = tuple(sorted(merged))
        return Histogram(buckets, tuple(merged[bucket] for bucket in buckets))

    @property
    def n(self) -> int:
        """Values counted."""
        return sum(self.counts)

    def quantile(self, q: float) -> float:
        """Lower bound of the bucket that holds the q-quantile; NaN of no values.

        Args:
            q: Between 0 and 1; the quantile is the value of rank ``ceil(q * n)``.

        Example:
            >>> Histogram.of(np.arange(1.0, 61.0)).quantile(0.5)
            30.0
        """
        if not self.counts:
            return float("nan")
        cumulated = np.cumsum(self.counts)
        at = int(np.searchsorted(cumulated, q * cumulated[-1], side="left"))
        return float(bucket_lower_bounds([self.buckets[min(at, len(self.buckets) - 1)]])[0])

    def to_json(self) -> list[list[int]]:
        """As plain JSON: pairs of bucket and count."""
        return [list(pair) for pair in zip(self.buckets, self.counts, strict=True)]

    @classmethod
    def from_json(cls, value: list[list[Any]]) -> Self:
        """The inverse of `to_json`."""
        return cls(tuple(pair[0] for pair in value), tuple(pair[1] for pair in value))


def bucket_lower_bounds(buckets: list[int]) -> NDArray[np.float64]:
    """The bound of each bucket that is nearer to zero.

    Example:
        >>> Histogram.of(np.array([-1.5, 0.0, 40.0])).buckets
        (-32753, 0, 32904)
        >>> bucket_lower_bounds([-32753, 0, 32904])
        array([-1.5,  0. , 40. ])
    """
    numbers = np.array(buckets, dtype=np.int64)
    magnitude = np.where(numbers < 0, -numbers - 1, numbers) << np.int64(_SHIFT)
    bounds = magnitude.view(np.float64)
    return np.where(numbers < 0, -bounds, bounds)
