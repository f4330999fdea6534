"""How often the bins of a column and of the target stand in one row: counts that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.dyadic import distinct_of, level_of, shifted
from mlops_ray.data.exact import ExactSum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.binned import Binned
    from mlops_ray.data.run_counts import RunCounts

__all__ = ["MAX_BINS", "MAX_TARGET_BINS", "JointCounts"]

MAX_BINS: Final = 256
MAX_TARGET_BINS: Final = 32


@dataclass(frozen=True, slots=True)
class _Axis:
    """Filled bins at a level; see `data.binned`."""

    level: int
    bins: NDArray[np.uint64]

    @classmethod
    def merged(cls, axes: Sequence[_Axis], limit: int) -> Self:
        """The bins of all, no more than the limit."""
        level = max(axis.level for axis in axes)
        bins = distinct_of(np.concatenate([shifted(a.bins, level - a.level) for a in axes]))
        coarser = level_of(bins, limit)
        return cls(level + coarser, distinct_of(shifted(bins, coarser)))

    def places_of(self, other: _Axis) -> NDArray[np.intp]:
        """Where the bins of a finer axis, and the one of no value, lie on this one."""
        wider = shifted(other.bins, self.level - other.level)
        return np.append(np.searchsorted(self.bins, wider), self.bins.size)


@dataclass(frozen=True, eq=False, slots=True)
class JointCounts:
    """Counts of the rows of a part, by bin of a column and bin of the target.

    Attributes:
        column: Bins of the column.
        target: Bins of the target.
        counts: Rows, shape ``(n_bins + 1, n_target_bins + 1)``; the last are without a value.
        is_equal: Whether the column equals the target in all rows.
        product: Sum of column times target in units of 2^-2252, over the rows with both; None
            where one of the two is no number.
        unmatched: Sums of the target over the rows where the column has no value.
    """

    column: _Axis
    target: _Axis
    counts: NDArray[np.int64]
    is_equal: bool
    product: int | None
    unmatched: ExactSum

    @classmethod
    def of(
        cls,
        column: Binned,
        target: Binned,
        *,
        is_equal: bool,
        product: int | None,
        unmatched: ExactSum,
    ) -> Self:
        """Count the rows of a part; the codes of the column are overwritten."""
        n_rows, n_columns = column.bins.size + 1, target.bins.size + 1
        codes = column.codes
        codes *= n_columns
        codes += target.codes
        counts = np.bincount(codes, minlength=n_rows * n_columns).reshape(n_rows, n_columns)
        axes = _Axis(column.level, column.bins), _Axis(target.level, target.bins)
        return cls(*axes, counts, is_equal, product, unmatched)

    @classmethod
    def of_runs(
        cls,
        column: RunCounts,
        target: Binned,
        starts: Sequence[int | None],
        *,
        is_equal: bool,
        product: int | None,
        unmatched: ExactSum,
    ) -> Self:
        """Count the rows of a part in each of whose runs the target has one value.

        Args:
            column: Rows of each run by bin.
            target: Of the part's rows.
            starts: The first row of each run; None where it has none.
            is_equal: See the class, as for the others.
            product: See there.
            unmatched: See there.
        """
        counts = np.zeros((column.bins.size + 1, target.bins.size + 1), dtype=np.int64)
        for start, of_run in zip(starts, column.counts, strict=True):
            if start is not None:
                counts[:, target.codes[start]] += of_run
        axes = _Axis(column.level, column.bins), _Axis(target.level, target.bins)
        return cls(*axes, counts, is_equal, product, unmatched)

    @classmethod
    def merged(cls, parts: Sequence[JointCounts]) -> Self:
        """Counts of several sets of rows together; their order does not matter."""
        column = _Axis.merged([part.column for part in parts], MAX_BINS)
        target = _Axis.merged([part.target for part in parts], MAX_TARGET_BINS)
        counts = np.zeros((column.bins.size + 1, target.bins.size + 1), dtype=np.int64)
        for part in parts:
            at = np.ix_(column.places_of(part.column), target.places_of(part.target))
            np.add.at(counts, at, part.counts)
        products = [part.product for part in parts]
        known = [product for product in products if product is not None]
        return cls(
            column,
            target,
            counts,
            all(part.is_equal for part in parts),
            sum(known) if len(known) == len(products) else None,
            sum((part.unmatched for part in parts), start=ExactSum()),
        )

    def __eq__(self, other: object) -> bool:
        """Whether the other counts the same."""
        return (
            isinstance(other, JointCounts)
            and self.facts() == other.facts()
            and all(map(np.array_equal, self.arrays(), other.arrays()))
        )

    __hash__ = None  # type: ignore[assignment]  # Arrays have none.

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Bins of the column, those of the target, and the counts one after the other."""
        return self.column.bins, self.target.bins, self.counts.ravel()

    def facts(self) -> list[Any]:
        """All but the arrays, as plain JSON."""
        sums = ExactSum(self.unmatched.n, self.unmatched.total, self.product or 0).to_json()
        return [
            self.column.level,
            self.target.level,
            self.is_equal,
            None if self.product is None else sums["squares"],
            self.unmatched.to_json(),
        ]

    @classmethod
    def of_parts(cls, facts: list[Any], arrays: Sequence[NDArray[Any]]) -> Self:
        """The inverse of `facts` and `arrays`."""
        level, target_level, is_equal, product, unmatched = facts
        column, target = _Axis(level, arrays[0]), _Axis(target_level, arrays[1])
        counts = arrays[2].reshape(column.bins.size + 1, target.bins.size + 1)
        if product is not None:
            product = ExactSum.from_json({**unmatched, "squares": product}).squares
        return cls(column, target, counts, is_equal, product, ExactSum.from_json(unmatched))
