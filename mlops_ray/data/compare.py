"""Comparing two profiles of one column: has the distribution moved, and is it chance?

Both sides were counted in buckets that do not depend on the data, so any two profiles can be
compared without their rows. A missing value is a bin of its own, and so is an infinite one. Where
the reference's spread is smaller than a bucket, its exact moments are compared as well.

Source: B. Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan
University, 2018 (the index); K. Pearson's chi-squared test of homogeneity by
``scipy.stats.chi2_contingency``, bins pooled until 5 rows are expected in each (W. G. Cochran,
"The chi-square test of goodness of fit", Ann. Math. Stat. 23, 1952).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from scipy.stats import chi2_contingency

from mlops_ray.data.column_profile import CategoryProfile, NumberProfile, TimeProfile
from mlops_ray.data.moments import compare_moments, is_unresolved
from mlops_ray.data.number_bins import number_bins, time_bins
from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.counts import ValueCounts
    from mlops_ray.data.number_bins import Counts

__all__ = ["Comparison", "compare_profiles", "population_stability_index"]

_PSEUDO_COUNT: Final = 0.5  # Per bin, so that an empty bin stays finite.
_MIN_EXPECTED: Final = 5.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a live column is from its reference.

    Attributes:
        psi: Population stability index in nats; 0 where the shares of all bins agree. Where the
            moments of an unresolved column are farther apart, their divergence.
        statistic: Chi-squared statistic; 0 where fewer than two bins can be told apart.
        p_value: Probability of a statistic as large by chance, 1 in that case; or of such moments,
            with the correction for having looked at both.
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

    Numbers and times are compared over at most 10 bins at quantiles of the reference, and to each
    side of it where that matters; strings and booleans over their values.

    Raises:
        ColumnError: A side has no rows, the kinds differ, the column has too many distinct values
            to be counted, or its profiles are too coarse to tell.
    """
    if not reference.n_rows or not live.n_rows:
        got = f"{reference.n_rows} reference and {live.n_rows} live rows"
        raise ColumnError("a side of the comparison is empty", got, "rows on both sides")
    expected, found = _with_nulls(_binned(reference, live), reference, live)
    statistic, p_value = _chi_squared(expected, found)
    psi = population_stability_index(expected, found)
    if isinstance(reference, NumberProfile) and isinstance(live, NumberProfile):
        psi, p_value = _with_moments(psi, p_value, reference, live)
    return Comparison(
        psi=psi,
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
        return number_bins(reference, live)
    if isinstance(reference, CategoryProfile) and isinstance(live, CategoryProfile):
        if reference.counts.is_overflow or live.counts.is_overflow:
            raise ColumnError("the column has too many distinct values to be compared")
        return _category_bins(reference.counts, live.counts)
    if isinstance(reference, TimeProfile) and reference.dtype == live.dtype:
        return time_bins(reference, cast("TimeProfile", live))
    kinds = f"{type(reference).__name__} and {type(live).__name__}"
    raise ColumnError("the two profiles cannot be compared", kinds, "two of one kind")


def _category_bins(reference: ValueCounts, live: ValueCounts) -> Counts:
    """A bin a value; where a side lists its commonest values only, the others share one."""
    one, other = reference.counts, live.counts
    values = {*one, *other}
    for side in (reference, live):
        if not side.is_complete:
            values &= side.counts.keys()
    ordered = sorted(values, key=lambda value: (str(type(value)), value))
    bins = []
    for side in (reference, live):
        listed = np.array([side.counts.get(value, 0) for value in ordered], dtype=np.int64)
        n_rows = int(side.rows.sum()) + side.n_unlisted_rows
        bins.append(np.append(listed, n_rows - listed.sum()))
    has_others = any(counts[-1] for counts in bins)
    return (bins[0], bins[1]) if has_others else (bins[0][:-1], bins[1][:-1])


def _with_moments(
    psi: float, p_value: float, reference: NumberProfile, live: NumberProfile
) -> tuple[float, float]:
    if not is_unresolved(reference, live):
        return psi, p_value
    divergence, p_moments = compare_moments(reference, live)
    return max(psi, divergence), min(1.0, 2 * min(p_value, p_moments))


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
