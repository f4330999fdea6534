"""The rows of a part sorted into few bins, for counting two columns beside each other.

Each value has a 64-bit word: of numbers the float64, so that the words' order is the numbers', of
times the ticks, of strings a hash. Bins are words that share their leading bits, as many as the
limit allows (see `data.dyadic`), so they come out the same however the rows were grouped. Floats
are not told apart below the buckets of `data.histogram`; whole numbers are, up to 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from mlops_ray.data.dyadic import distinct_of, level_of, shifted
from mlops_ray.data.histogram import NO_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.histogram import Histogram
    from mlops_ray.data.time_histogram import TimeHistogram

__all__ = [
    "Binned",
    "bin_floats",
    "bin_integers",
    "bin_texts",
    "bin_times",
    "bins_of_buckets",
    "bins_of_texts",
]

_BUCKET_LEVEL: Final = 47  # A bucket of a histogram is told by 17 bits.
_N_POSITIVE: Final = 2**16
_SIGN: Final = np.array([2**63], dtype=np.uint64)
_MAX_SPAN: Final = 2**17  # Integers that lie so close are looked up by place.
_PREFIX_LEVEL: Final = 48


@dataclass(frozen=True, slots=True)
class Binned:
    """Rows and their bins.

    Attributes:
        level: Words are shifted by so much to give a bin.
        bins: The filled bins, increasing.
        codes: Position of each row's bin; the number of bins where there is no value. May be
            overwritten.
    """

    level: int
    bins: NDArray[np.uint64]
    codes: NDArray[np.intp]


def bin_floats(bits: NDArray[np.int64], histogram: Histogram, limit: int) -> Binned:
    """Floats by their top bits.

    Args:
        bits: From `data.histogram.top_bits`, `NO_BITS` where there is no value.
        histogram: Of these bits.
        limit: Most bins.
    """
    buckets = histogram.buckets
    places = np.where(buckets >= 0, buckets, _N_POSITIVE - 1 - buckets)
    words = (buckets + _N_POSITIVE).astype(np.uint64)
    found = _Lookup.of(words, places, NO_BITS, limit)
    return found.binned(bits, _BUCKET_LEVEL if words.size else 0)


def bins_of_buckets(
    histogram: Histogram, limit: int
) -> tuple[int, NDArray[np.uint64], NDArray[np.intp]]:
    """Level and bins of `bin_floats`, and the bin of each bucket."""
    words = (histogram.buckets + _N_POSITIVE).astype(np.uint64)
    coarser, bins, places = _together(words, limit)
    return (_BUCKET_LEVEL if words.size else 0) + coarser, bins, places


def bins_of_texts(
    words: NDArray[np.uint64], limit: int
) -> tuple[int, NDArray[np.uint64], NDArray[np.intp]]:
    """Level and bins of `bin_texts`, and the bin of each string that rows hold, by its hash."""
    own, level = _prefixed(words, limit)
    if not level:
        return _together(own, limit)
    filled = np.bincount(own.view(np.int64), minlength=2 ** (64 - level)) > 0
    coarser = level_of(np.flatnonzero(filled), limit)
    filled = np.logical_or.reduce(filled.reshape(-1, 2**coarser), axis=1)
    places = (np.cumsum(filled) - 1).take(own.view(np.int64) >> coarser)
    return level + coarser, np.flatnonzero(filled).astype(np.uint64), places


def bin_integers(
    values: NDArray[np.int64],
    missing: NDArray[np.bool_] | None,
    bits: NDArray[np.int64],
    histogram: Histogram,
    limit: int,
) -> Binned:
    """Whole numbers, told apart one by one where the limit allows it.

    Args:
        values: Anything where they are missing.
        missing: Rows without a value; None where there are none.
        bits: As of floats.
        histogram: Of these bits.
        limit: Most bins.
    """
    if histogram.buckets.size > limit:  # So buckets are finer than the limit allows.
        return bin_floats(bits, histogram, limit)
    there = values if missing is None else values[~missing]
    lowest, highest = (int(there.min()), int(there.max())) if there.size else (0, -1)
    if highest - lowest < _MAX_SPAN:
        places, codes = np.flatnonzero(np.bincount(there - lowest) > 0), values - lowest
        distinct, n_places = places + lowest, highest - lowest + 1
    else:
        distinct = distinct_of(there)
        codes = np.searchsorted(distinct, values)
        places, n_places = np.arange(distinct.size), distinct.size
    if missing is not None:
        codes[missing] = n_places
    words = _number_words(distinct.astype(np.float64))
    return _Lookup.of(words, places, n_places, limit).binned(codes, 0)


def bin_texts(codes: NDArray[np.intp], words: NDArray[np.uint64], limit: int) -> Binned:
    """Strings by their hashes.

    Args:
        codes: Position of each row's string; the number of strings for null.
        words: A hash of each string, and a last one for null.
        limit: Most bins.
    """
    there = np.flatnonzero(np.bincount(codes, minlength=words.size)[:-1] > 0)
    own, level = _prefixed(words[there], limit)
    return _Lookup.of(own, there, words.size - 1, limit).binned(codes, level)


def _prefixed(words: NDArray[np.uint64], limit: int) -> tuple[NDArray[np.uint64], int]:
    """Leading bits where they do, which saves sorting many words; and by how much is shifted."""
    if words.size > limit:
        prefixes = (words >> np.uint64(_PREFIX_LEVEL)).astype(np.intp)
        if np.count_nonzero(np.bincount(prefixes)) > limit:
            return prefixes.astype(np.uint64), _PREFIX_LEVEL
    return words, 0


def bin_times(
    ticks: NDArray[np.int64],
    missing: NDArray[np.bool_] | None,
    histogram: TimeHistogram,
    limit: int,
) -> Binned:
    """Times by their ticks.

    Args:
        ticks: Anything where they are missing.
        missing: Rows without a value; None where there are none.
        histogram: Of these ticks.
        limit: Most bins, and no more than those of the histogram may be.
    """
    at_level = histogram.bins.astype(np.uint64) + shifted(_SIGN, histogram.level)
    if histogram.level:  # A shift of negative numbers leaves ones in front.
        at_level &= np.uint64(2 ** (64 - histogram.level) - 1)
    coarser = level_of(at_level, limit)
    level, bins = histogram.level + coarser, distinct_of(shifted(at_level, coarser))
    words = shifted(ticks.view(np.uint64) ^ _SIGN, level)
    span = int(bins[-1] - bins[0]) if bins.size else 0
    if span < _MAX_SPAN:
        table = np.searchsorted(bins, np.arange(span + 1, dtype=np.uint64) + bins[:1].sum())
        codes = table.take((words - bins[:1].sum()).view(np.int64), mode="clip")
    else:
        codes = np.searchsorted(bins, words)
    if missing is not None:
        codes[missing] = bins.size
    return Binned(level, bins, codes)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Which bin each place of a table belongs to.

    Attributes:
        coarser: By how much words were shifted.
        bins: The filled bins, increasing.
        table: Position of each place's bin; of other places the number of bins.
    """

    coarser: int
    bins: NDArray[np.uint64]
    table: NDArray[np.intp]

    @classmethod
    def of(
        cls, words: NDArray[np.uint64], places: NDArray[np.intp], n_places: int, limit: int
    ) -> Self:
        """Sort words into bins.

        Args:
            words: Of all values that rows hold; two may be equal.
            places: Where each of them stands in the table.
            n_places: Places there are; one more is that of no value.
            limit: Most bins.
        """
        coarser, bins, at = _together(words, limit)
        table = np.full(n_places + 1, bins.size, dtype=np.intp)
        table[places] = at
        return cls(coarser, bins, table)

    def binned(self, codes: NDArray[np.intp], level: int) -> Binned:
        """Rows by their places, where words were shifted by a level before."""
        return Binned(level + self.coarser, self.bins, self.table.take(codes))


def _together(
    words: NDArray[np.uint64], limit: int
) -> tuple[int, NDArray[np.uint64], NDArray[np.intp]]:
    """By how much words are shifted to be few bins, the bins, and that of each word."""
    distinct = distinct_of(words)
    coarser = level_of(distinct, limit)
    bins = distinct_of(shifted(distinct, coarser))
    return coarser, bins, np.searchsorted(bins, shifted(words, coarser))


def _number_words(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Words in the order of the numbers."""
    words = (values + 0.0).view(np.uint64)
    return np.where(words >= _SIGN, ~words, words | _SIGN)
