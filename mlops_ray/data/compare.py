"""Comparing two profiles of one column: has the distribution moved, and is it chance?

Both sides were counted in buckets that do not depend on the data, so any two profiles can be
compared without their rows. A missing value is a bin of its own.

Source: B. Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan
University, 2018 (the index); K. Pearson's chi-squared test of homogeneity by
``scipy.stats.chi2_contingency``, bins pooled until 5 rows are expected in each (W. G. Cochran,
"The chi-square test of goodness of fit", Ann. Math. Stat. 23, 1952).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2_contingency

from mlops_ray.data.column_profile import CategoryProfile, NumberProfile
from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.column_profile import ColumnProfile

__all__ = ["Comparison", "compare_profiles", "population_stability_index"]

_MAX_BINS: Final = 10
_PSEUDO_COUNT: Final = 0.5  # Per bin, so that an empty bin stays finite.
_MIN_EXPECTED: Final = 5.0

Counts = tuple["NDArray[np.int64]", "NDArray[np.int64]"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a live column is from its reference.

    Attributes:
        psi: Population stability index in nats; 0 where the shares of all bins agree.
        statistic: Chi-squared statistic; 0 where fewer than two bins can be told apart.
        p_value: Probability of a statistic as large by chance; 1 in that case.
        n_bins: Bins the index was computed over.
        n_reference: Rows of the reference, with nulls.
        n_live: Live rows, with nulls.
        null_share_reference: Share of the reference's rows without a value.
        null_share_live: Share of the live rows without a value.
    """

    psi: float
    statistic: float
    p_value: float
    n_bins: int
    n_reference: int
    n_live: int
    null_share_reference: float
    null_share_live: float


def compare_profiles(reference: ColumnProfile, live: ColumnProfile) -> Comparison:
    """Compare two profiles of one column.

    Numbers are compared over at most 10 bins at quantiles of the reference, strings and booleans
    over their values.

    Raises:
        ColumnError: A side has no rows, the kinds differ, the column is a time, or it has too many
            distinct values to be counted.
    """
    if not reference.n_rows or not live.n_rows:
        got = f"{reference.n_rows} reference and {live.n_rows} live rows"
        raise ColumnError("a side of the comparison is empty", got, "rows on both sides")
    expected, found = _with_nulls(_binned(reference, live), reference, live)
    statistic, p_value = _chi_squared(expected, found)
    return Comparison(
        psi=population_stability_index(expected, found),
        statistic=statistic,
        p_value=p_value,
        n_bins=len(expected),
        n_reference=reference.n_rows,
        n_live=live.n_rows,
        null_share_reference=reference.n_null / reference.n_rows,
        null_share_live=live.n_null / live.n_rows,
    )


def population_stability_index(reference: NDArray[np.int64], live: NDArray[np.int64]) -> float:
    """The index of two arrays of counts over the same bins, shape ``(n_bins,)``.

    Example:
        >>> population_stability_index(np.array([10, 20]), np.array([10, 20]))
        0.0
    """
    shares = []
    for counts in (reference, live):
        padded = counts + _PSEUDO_COUNT
        shares.append(padded / padded.sum())
    p, q = shares
    return float(np.sum((p - q) * np.log(p / q)))


def _binned(reference: ColumnProfile, live: ColumnProfile) -> Counts:
    if isinstance(reference, NumberProfile) and isinstance(live, NumberProfile):
        return _number_bins(reference, live)
    if isinstance(reference, CategoryProfile) and isinstance(live, CategoryProfile):
        if reference.counts.is_overflow or live.counts.is_overflow:
            raise ColumnError("the column has too many distinct values to be compared")
        one, other = reference.counts.counts, live.counts.counts
        values = sorted({*one, *other}, key=lambda value: (str(type(value)), value))
        return (
            np.array([one.get(value, 0) for value in values], dtype=np.int64),
            np.array([other.get(value, 0) for value in values], dtype=np.int64),
        )
    kinds = f"{type(reference).__name__} and {type(live).__name__}"
    raise ColumnError("the two profiles cannot be compared", kinds, "two numbers or categories")


def _number_bins(reference: NumberProfile, live: NumberProfile) -> Counts:
    edges = _edges(reference)
    return (_between(edges, reference), _between(edges, live))


def _edges(reference: NumberProfile) -> NDArray[np.int64]:
    """Buckets at quantiles of the reference, each the last of its bin; the last bin is open."""
    buckets = np.array(reference.histogram.buckets, dtype=np.int64)
    if buckets.size < 2:
        return np.array([bucket + at for bucket in buckets for at in (-1, 0)], dtype=np.int64)
    cumulated = np.cumsum(reference.histogram.counts)
    ranks = np.arange(1, _MAX_BINS) / _MAX_BINS * cumulated[-1]
    edges = np.unique(buckets[np.searchsorted(cumulated, ranks, side="left")])
    inner = edges[edges < buckets[-1]]
    return inner if inner.size else buckets[-2:-1]  # The last bucket holds 9 of 10 rows.


def _between(edges: NDArray[np.int64], profile: NumberProfile) -> NDArray[np.int64]:
    """Counts in the bins that end with the buckets `edges`; the last bin is open."""
    at = np.searchsorted(edges, np.array(profile.histogram.buckets, dtype=np.int64), side="left")
    weights = np.array(profile.histogram.counts, dtype=np.float64)
    return np.bincount(at, weights=weights, minlength=edges.size + 1).astype(np.int64)


def _with_nulls(counts: Counts, reference: ColumnProfile, live: ColumnProfile) -> Counts:
    if not reference.n_null and not live.n_null:
        return counts
    return (np.append(counts[0], reference.n_null), np.append(counts[1], live.n_null))


def _chi_squared(reference: NDArray[np.int64], live: NDArray[np.int64]) -> tuple[float, float]:
    table = _pooled(np.stack([reference, live]))
    if table.shape[1] < 2:
        return 0.0, 1.0
    result = chi2_contingency(table, correction=False)
    return float(result.statistic), float(result.pvalue)


def _pooled(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rarest bins added together, so that in each at least 5 rows are expected."""
    totals = table.sum(axis=0)
    table = table[:, np.argsort(totals, kind="stable")][:, np.count_nonzero(totals == 0) :]
    expected = table.sum(axis=0) * (table.sum(axis=1).min() / table.sum())
    n_rare = int(np.count_nonzero(expected < _MIN_EXPECTED))
    if 0 < n_rare < len(expected) and expected[:n_rare].sum() < _MIN_EXPECTED:
        n_rare += 1
    rare = table[:, :n_rare].sum(axis=1, keepdims=True)
    return np.concatenate([rare, table[:, n_rare:]], axis=1) if n_rare else table
