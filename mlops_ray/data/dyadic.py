"""Bins that share their leading bits, no finer than a number of bins allows.

A bin of level k holds all words (64-bit integers) that are equal after a shift by k. The level of a
set of words is the lowest at which they fill no more bins than the limit. More words never fill
fewer bins, so the level of a whole is at least that of each of its parts, and adding parts at the
highest of their levels loses nothing: the outcome does not depend on how the words were grouped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["distinct_of", "level_of", "shifted"]

_Words = TypeVar("_Words", bound="NDArray[np.integer[Any]]")


def distinct_of(words: _Words) -> _Words:
    """Each word once, increasing; the caller's array is left as it is."""
    ordered = np.sort(words)  # With vector instructions; `np.unique` hashes first.
    if ordered.size:
        is_first = np.ones(ordered.size, dtype=np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
        return ordered[is_first]  # type: ignore[return-value]  # Of the same type.
    return ordered  # type: ignore[return-value]  # Likewise.


def level_of(words: NDArray[np.integer[Any]], limit: int) -> int:
    """The lowest level at which words fill at most `limit` bins.

    Args:
        words: Distinct and increasing, int64 or uint64.
        limit: At least 2, so that negative and other numbers need not share a bin.

    Example:
        >>> level_of(np.array([0, 1, 2, 3, 64]), 3)
        1
    """
    if words.size <= limit:
        return 0
    differing = np.bitwise_xor(words[1:], words[:-1]).view(np.uint64)
    low, high = 0, 64  # Too fine, and coarse enough.
    while high - low > 1:
        middle = (low + high) // 2
        n_bins = 1 + int(np.count_nonzero(differing >> np.uint64(middle)))
        low, high = (low, middle) if n_bins <= limit else (middle, high)
    return high


def shifted(words: _Words, by: int) -> _Words:
    """The bins of words, or coarser bins of bins; a shift by 64 leaves one bin, or two by sign."""
    if by < 64:
        return words >> words.dtype.type(by)  # type: ignore[return-value]  # Of the same type.
    return (words >> words.dtype.type(63)) >> words.dtype.type(1)  # type: ignore[return-value]
