"""How strongly a column goes with the target, from the exact counts of the pass.

Everything is worked out from whole numbers that do not depend on how the rows were grouped; the
floats that come out are rounded to 6 decimals, so that mathematical libraries agree on them.

Source: H. Cramer, "Mathematical Methods of Statistics", 1946, with the correction for bias of W.
Bergsma, "A bias-correction for Cramer's V and Tschuprow's T", J. Korean Stat. Soc. 42, 2013; H.
Theil, "On the Estimation of Relationships Involving Qualitative Variables", Am. J. Sociol. 76, 1970
(the share of the target's entropy that a column explains).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.column_profile import CategoryProfile, NumberProfile
from mlops_ray.data.exact import ExactSum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.joint import JointCounts

__all__ = ["Association", "associate"]

_DECIMALS: Final = 6
_MAX_QUANTILE_BINS: Final = 16


@dataclass(frozen=True, slots=True)
class Association:
    """Measures of one column against the target, over rows that have a target.

    Numbers and times are taken in at most 16 bins at their quantiles, a target of more than 16
    numbers likewise; other values by themselves, up to 256 bins. No value is a bin of its own.

    Attributes:
        cramers_v: Between 0 and 1, 1 where each knows the other; None where a side has one bin.
        explained: Share of the target's entropy that the column explains, 1 where it determines the
            target's bin; None where the target has one bin.
        auc: Area under the ROC curve of the column alone, the better way round; None where the
            target has not two classes, or the column no order.
        pearson: Linear correlation; None where one of the two is no number or is constant.
        n_bins: Bins of the column, before quantiles.
        is_equal: Whether the column equals the target in all rows.
        is_determined: Whether no bin, before quantiles, holds two values of the target; False where
            the target has too many to be told apart.
    """

    cramers_v: float | None
    explained: float | None
    auc: float | None
    pearson: float | None
    n_bins: int
    is_equal: bool
    is_determined: bool

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`; canonical JSON writes 1.0 as 1."""
        floats = {
            name: None if value[name] is None else float(value[name])
            for name in ("cramers_v", "explained", "auc", "pearson")
        }
        return cls(**{**value, **floats})


def associate(joint: JointCounts, column: ColumnProfile, target: ColumnProfile) -> Association:
    """The association of a column with the target.

    Args:
        joint: Their counts.
        column: Profile of the column, over the same rows.
        target: Profile of the target, likewise.
    """
    fine = _filled(joint.counts[:, :-1])
    has_order = not isinstance(column, CategoryProfile)
    grouped = _quantile_bins(joint.counts[:-1, :-1]) if has_order else joint.counts[:-1, :-1]
    table = np.concatenate([grouped, joint.counts[-1:, :-1]])
    if not isinstance(target, CategoryProfile):
        table = _quantile_bins(table.T).T
    table = _filled(_filled(table).T).T
    return Association(
        cramers_v=_rounded(_cramers_v(table)),
        explained=_rounded(_explained(table)),
        auc=_rounded(_auc(joint.counts[:-1, :-1]) if has_order else None),
        pearson=_rounded(_pearson(joint, column, target)),
        n_bins=fine.shape[0],
        is_equal=joint.is_equal and column.n_rows > 0,
        is_determined=not joint.target.level
        and fine.shape[0] > 1
        and bool((np.count_nonzero(fine, axis=1) < 2).all()),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS) + 0.0


def _quantile_bins(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Neighbouring rows of a table added together, at most 16 about equal ones; no empty ones."""
    counts = _filled(counts)
    if counts.shape[0] <= _MAX_QUANTILE_BINS:
        return counts
    sizes = counts.sum(axis=1)
    middles = 2 * np.cumsum(sizes) - sizes  # Of each row, in halves of a row of data.
    groups = middles * _MAX_QUANTILE_BINS // (2 * int(sizes.sum()))
    added = np.zeros((_MAX_QUANTILE_BINS, counts.shape[1]), dtype=np.int64)
    np.add.at(added, groups, counts)
    return _filled(added)


def _filled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of a table that are not empty."""
    filled: NDArray[np.int64] = counts[counts.sum(axis=1) > 0]
    return filled


def _cramers_v(table: NDArray[np.int64]) -> float | None:
    n, (n_rows, n_columns) = int(table.sum()), table.shape
    if min(n_rows, n_columns) < 2 or n < 2:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0).astype(np.float64)) / n
    phi_squared = math.fsum(((table - expected) ** 2 / expected).ravel().tolist()) / n
    excess = max(0.0, phi_squared - (n_rows - 1) * (n_columns - 1) / (n - 1))
    smaller = min(size - (size - 1) ** 2 / (n - 1) for size in table.shape) - 1
    return math.sqrt(min(1.0, excess / smaller)) if smaller > 0 else None


def _explained(table: NDArray[np.int64]) -> float | None:
    entropy = _entropy(table.sum(axis=0))
    if not entropy:
        return None
    joint, column = _entropy(table.ravel()), _entropy(table.sum(axis=1))
    return min(1.0, max(0.0, (entropy + column - joint) / entropy))


def _entropy(counts: NDArray[np.int64]) -> float:
    n = int(counts.sum())
    return -math.fsum(k / n * math.log(k / n) for k in counts.tolist() if k and k < n)


def _auc(table: NDArray[np.int64]) -> float | None:
    """Mann and Whitney's statistic, ties counted half, in whole numbers."""
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] != 2:
        return None
    lower, n_wins = 0, 0
    for n_first, n_second in table.tolist():
        n_wins += n_second * (2 * lower + n_first)
        lower += n_first
    n_pairs = 2 * lower * int(table[:, 1].sum())
    return max(n_wins, n_pairs - n_wins) / n_pairs


def _pearson(joint: JointCounts, column: ColumnProfile, target: ColumnProfile) -> float | None:
    if not isinstance(column, NumberProfile) or joint.product is None:
        return None
    totals = _target_sums(target)
    if totals is None:
        return None
    n, total, squares = totals
    x, gone = column.sums, joint.unmatched
    n, total, squares = n - gone.n, total - gone.total, squares - gone.squares
    spread = (n * x.squares - x.total**2) * (n * squares - total**2)
    if not spread:
        return None
    # Both are exact integers, and one division rounds.
    covariance = n * joint.product - x.total * total
    magnitude = math.sqrt(covariance**2 / spread)
    return -magnitude if covariance < 0 else magnitude


def _target_sums(target: ColumnProfile) -> tuple[int, int, int] | None:
    """Number, sum and sum of squares of a target of numbers or booleans without gaps."""
    if target.n_null:
        return None
    if isinstance(target, NumberProfile):
        return None if target.n_extreme else (target.sums.n, target.sums.total, target.sums.squares)
    if isinstance(target, CategoryProfile) and target.dtype == "boolean":
        n_true = ExactSum.of_constant(1.0, target.counts.counts.get(True, 0))
        return target.n_rows, n_true.total, n_true.squares
    return None
