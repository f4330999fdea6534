"""Bins in which the numbers of two profiles can be counted, as fine as the profiles allow.

Integer columns are binned by their exact counts, others by the buckets of their histograms. What
lies below the reference's minimum or above its maximum has bins of its own where the outermost bin
holds so much of the reference that it would hide there; so do values too extreme to be counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mlops_ray.data.column_profile import NumberProfile, TimeProfile

__all__ = ["Counts", "number_bins", "time_bins"]

Counts = tuple["NDArray[np.int64]", "NDArray[np.int64]"]

_MAX_BINS: Final = 10
_HEAVY: Final = 0.2  # Of the reference; quantile bins hold half of it unless values are few.
_FEW: Final = 0.05  # A share of live rows too small to settle a comparison.


def number_bins(reference: NumberProfile, live: NumberProfile) -> Counts:
    """Counts of both over the same bins, at most 10 of them at quantiles of the reference.

    Raises:
        ColumnError: The reference is constant, and the live profile does not tell how many of its
            values differ.
    """
    pairs = _value_bins(reference, live)
    pairs.append((reference.n_extreme, live.n_extreme))
    return _table(pairs)


def time_bins(reference: TimeProfile, live: TimeProfile) -> Counts:
    """Counts of both over at most 10 bins at quantiles of the reference, and to each side of it.

    Raises:
        ColumnError: A profile was written by a version that did not count times.
    """
    if reference.histogram is None or live.histogram is None:
        what = "a profile of version 1 does not count times"
        raise ColumnError(what, hint="train again, so that the baseline has them")
    n_reference, n_live = reference.histogram.n, live.histogram.n
    if not n_reference or not n_live:
        return _table([(n_reference, n_live)])
    level = max(reference.histogram.level, live.histogram.level)
    one, other = (profile.histogram.at_level(level) for profile in (reference, live))  # type: ignore[union-attr]
    if one.bins.size == 1:  # Every other bin is outside.
        n_same = int(other.counts[other.bins == one.bins[0]].sum())
        return _table([(n_reference, n_same), (0, n_live - n_same)])
    return _table(
        _quantile_bins(
            zip(one.bins.tolist(), one.counts.tolist(), strict=True),
            zip(other.bins.tolist(), other.counts.tolist(), strict=True),
        )
    )


def _table(pairs: list[tuple[int, int]]) -> Counts:
    filled = [pair for pair in pairs if any(pair)]
    table = np.array(filled, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _value_bins(reference: NumberProfile, live: NumberProfile) -> list[tuple[int, int]]:
    n_reference, n_live = reference.histogram.n, live.histogram.n
    if not n_reference or not n_live:
        return [(n_reference, n_live)]
    if reference.is_exact and live.is_exact:
        return _quantile_bins(reference.counts.counts.items(), live.counts.counts.items())
    if reference.minimum == reference.maximum:
        n_moved = _n_other(reference, live)
        return [(n_reference, n_live - n_moved), (0, n_moved)]
    n_below, n_above = _outside(reference, live)
    if n_below or n_above:
        return [(0, n_below), (n_reference, 0), (0, n_above)]
    one, other = (
        zip(profile.histogram.buckets, profile.histogram.counts, strict=True)
        for profile in (reference, live)
    )
    return _quantile_bins(one, other)


def _outside(reference: NumberProfile, live: NumberProfile) -> tuple[int, int]:
    """Live values below and above, where minima and maxima show that all of them are."""
    bounds = (reference.minimum, reference.maximum, live.minimum, live.maximum)
    low, high, live_low, live_high = (bound or 0.0 for bound in bounds)
    if live_high < low:
        return live.histogram.n, 0
    return 0, live.histogram.n if live_low > high else 0


def _quantile_bins(
    reference: Iterable[tuple[int, int]], live: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Bins of (position, count) pairs: below, at quantiles of the reference, above."""
    positions, weights = np.array(list(reference), dtype=np.int64).T
    inner = _edges(positions, weights)
    columns = []
    for at, counts in ((positions, weights), np.array(list(live), dtype=np.int64).T):
        bins = 1 + np.searchsorted(inner, at, side="left")
        bins[at < positions[0]] = 0
        bins[at > positions[-1]] = inner.size + 2
        filled = np.zeros(inner.size + 3, dtype=np.int64)
        np.add.at(filled, bins, counts)
        columns.append(filled.tolist())
    return _folded(list(zip(*columns, strict=True)))


def _folded(bins: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without the two outer bins where their neighbours are light."""
    heavy = _HEAVY * sum(n_reference for n_reference, _ in bins)
    for outer, neighbour in ((0, 1), (-1, -2)):
        n_reference, n_live = bins[neighbour]
        if n_reference <= heavy:
            bins[neighbour] = (n_reference, n_live + bins[outer][1])
            bins[outer] = (0, 0)
    return bins


def _edges(positions: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions at quantiles, each the last of its bin; the last bin is open."""
    cumulated = np.cumsum(weights)
    ranks = np.arange(1, _MAX_BINS) / _MAX_BINS * cumulated[-1]
    edges = np.unique(positions[np.searchsorted(cumulated, ranks, side="left")])
    inner = edges[edges < positions[-1]]
    return inner if inner.size else positions[-2:-1]  # The last position holds 9 of 10 rows.


def _n_other(reference: NumberProfile, live: NumberProfile) -> int:
    """Live values that differ from a constant reference: as many as can be proven.

    In its bucket a live value may or may not be the constant, but no deviation is larger than the
    largest, so the sum of their squares needs at least so many values.
    """
    constant, n_live = reference.minimum or 0.0, live.histogram.n
    if live.minimum == live.maximum:
        return 0 if live.minimum == constant else n_live
    buckets, counts = live.histogram.buckets, live.histogram.counts
    n_same_bucket = int(counts[buckets == reference.histogram.buckets[0]].sum())
    largest = max(abs((live.minimum or 0.0) - constant), abs((live.maximum or 0.0) - constant))
    spread = live.sums.variance + (live.sums.mean - constant) ** 2
    n_proven = math.floor(n_live * spread / largest / largest * (1 - 1e-9) + 0.5)
    n_moved = max(n_live - n_same_bucket, min(n_proven, n_live), 1)
    if n_moved < _FEW * n_live and constant:
        got = f"at least {n_moved} of {n_live} live values differ, maybe more"
        raise ColumnError("the reference is constant and cannot be told from values near it", got)
    return n_moved
