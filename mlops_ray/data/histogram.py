"""Histograms whose buckets do not depend on the data, so counts of parts add up to the whole.

A bucket is the sign, the exponent and the first 5 bits of the mantissa of a float64. Any value is
within 1/32 of each bound of its bucket, so a quantile read off is within 3.2 % of the exact one;
whole numbers below 64 have a bucket each and are exact.

Source: after C. Masson, J. Rim, H. Lee, "DDSketch", VLDB 2019 (relative-error buckets).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["NO_BITS", "QUANTILE_ERROR", "Histogram", "bucket_lower_bounds", "top_bits"]

_SHIFT: Final = 47  # 64 bits less sign, 11 exponent and 5 mantissa bits.
QUANTILE_ERROR: Final = 1 / 32  # Largest relative error of a quantile that is read off.
_N_POSITIVE: Final = 2**16
NO_BITS: Final = 2**17  # In place of the top bits of a value that is not there.
_NONE: Final = np.zeros(0, dtype=np.int64)
_NONE.flags.writeable = False


@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """Counts of values in relative-width buckets.

    Attributes:
        buckets: Numbers of the filled buckets, increasing; their order is that of the values.
        counts: Values in each of them, all above 0.
    """

    buckets: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    counts: NDArray[np.int64] = field(default_factory=lambda: _NONE)

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """Histogram of values without NaN and without -0.0."""
        bits = np.empty(values.size, dtype=np.int64)
        top_bits(np.ascontiguousarray(values).view(np.uint64), bits)
        return cls.of_top_bits(bits)

    @classmethod
    def of_top_bits(cls, bits: NDArray[np.int64]) -> Self:
        """Histogram of values whose `top_bits` were taken.

        Args:
            bits: From `top_bits`, or `NO_BITS` for no value.
        """
        rows = np.bincount(bits)[:NO_BITS]
        filled = np.flatnonzero(rows > 0)  # Of booleans it is ten times faster.
        first_negative = int(np.searchsorted(filled, _N_POSITIVE))
        order = np.r_[filled[first_negative:][::-1], filled[:first_negative]]
        return cls(_numbers(order), rows[order])

    @classmethod
    def of_counts(cls, values: NDArray[np.float64], counts: NDArray[np.int64]) -> Self:
        """Histogram of values that stand several times each, without NaN and without -0.0."""
        buckets, places = np.unique(buckets_of(values), return_inverse=True)
        rows = np.zeros(buckets.size, dtype=np.int64)
        np.add.at(rows, places, counts)
        return cls(buckets, rows)

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Self:
        """Histogram of all parts together."""
        there = [part for part in parts if part.buckets.size]
        if len(there) < 2:
            return cls(there[0].buckets, there[0].counts) if there else cls()
        buckets = np.concatenate([part.buckets for part in there])
        lowest = buckets.min()
        # Counts stay far below 2^53, so floats add them up exactly.
        rows = np.bincount(buckets - lowest, np.concatenate([part.counts for part in there]))
        filled = np.flatnonzero(rows)
        return cls(filled + lowest, rows[filled].astype(np.int64))

    def __eq__(self, other: object) -> bool:
        """Whether the other counts the same."""
        return (
            isinstance(other, Histogram)
            and np.array_equal(self.buckets, other.buckets)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]  # Arrays have none.

    def __add__(self, other: Histogram) -> Histogram:
        """Histogram of both parts together."""
        return Histogram.merged([self, other])

    @property
    def n(self) -> int:
        """Values counted."""
        return int(self.counts.sum())

    def quantile(self, q: float) -> float:
        """Lower bound of the bucket that holds the q-quantile; NaN of no values.

        Args:
            q: Between 0 and 1; the quantile is the value of rank ``ceil(q * n)``.

        Example:
            >>> Histogram.of(np.arange(1.0, 61.0)).quantile(0.5)
            30.0
        """
        if not self.counts.size:
            return float("nan")
        cumulated = np.cumsum(self.counts)
        at = int(np.searchsorted(cumulated, q * cumulated[-1], side="left"))
        return float(bucket_lower_bounds(self.buckets[min(at, self.buckets.size - 1)][None])[0])

    def to_json(self) -> dict[str, Any]:
        """As plain JSON: runs of neighbouring buckets, each with its first bucket and counts."""
        starts = np.flatnonzero(np.diff(self.buckets, prepend=-(2**32)) != 1)
        runs = np.split(self.counts, starts[1:])
        firsts = self.buckets[starts].tolist()
        return {"first": firsts, "counts": [run.tolist() for run in runs] if firsts else []}

    @classmethod
    def from_json(cls, value: dict[str, Any] | list[list[int]]) -> Self:
        """The inverse of `to_json`; of version 1 of a profile, pairs of bucket and count."""
        if isinstance(value, list):
            pairs = np.array(value, dtype=np.int64).reshape(-1, 2)
            return cls(pairs[:, 0], pairs[:, 1])
        runs = zip(value["first"], value["counts"], strict=True)
        buckets = [first + at for first, counts in runs for at in range(len(counts))]
        counts = [count for counts in value["counts"] for count in counts]
        return cls(np.array(buckets, dtype=np.int64), np.array(counts, dtype=np.int64))


def buckets_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bucket of each of some values without NaN and without -0.0."""
    bits = np.empty(values.size, dtype=np.int64)
    top_bits(np.ascontiguousarray(values).view(np.uint64), bits)
    return _numbers(bits)


def _numbers(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of buckets, whose order is that of the values, from leading bits."""
    return np.where(bits < _N_POSITIVE, bits, _N_POSITIVE - 1 - bits)


def top_bits(words: NDArray[np.uint64], out: NDArray[np.int64]) -> None:
    """Write the bits that tell a float's bucket.

    Args:
        words: Floats without NaN and without -0.0, as the words that hold them.
        out: Of the same length.
    """
    np.right_shift(words, np.uint64(_SHIFT), out=out.view(np.uint64))


def bucket_lower_bounds(buckets: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """The bound of each bucket that is nearer to zero.

    Example:
        >>> Histogram.of(np.array([-1.5, 0.0, 40.0])).buckets.tolist()
        [-32753, 0, 32904]
        >>> bucket_lower_bounds([-32753, 0, 32904])
        array([-1.5,  0. , 40. ])
    """
    numbers = np.asarray(buckets, dtype=np.int64)
    magnitude = np.where(numbers < 0, -numbers - 1, numbers) << np.int64(_SHIFT)
    bounds = magnitude.view(np.float64)
    return np.where(numbers < 0, -bounds, bounds)
