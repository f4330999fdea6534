"""What fitting may want to know beyond the profile, to be looked up in a further pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np

from mlops_ray.features.statistics import interpolated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.fitted import Feature
    from mlops_ray.features.statistics import Numbers, TargetSums

__all__ = ["Answer", "TargetCounts", "ValueBuckets", "ValueStatistics", "Wanted"]


@dataclass(frozen=True, slots=True)
class ValueStatistics:
    """Statistics of a number that steps already fitted make.

    Attributes:
        feature: With the steps fitted so far.
        lane: Which of its numbers.
        name: Its name.
    """

    feature: Feature
    lane: int
    name: str


@dataclass(frozen=True, slots=True)
class ValueBuckets:
    """The values of a number that lie in the same buckets as some of its quantiles.

    Attributes:
        feature: With the steps fitted so far.
        lane: Which of its numbers.
        buckets: Buckets of the profile's histogram.
    """

    feature: Feature
    lane: int
    buckets: tuple[int, ...]

    @classmethod
    def of(cls, feature: Feature, lane: int, found: Numbers, quantiles: Sequence[float]) -> Self:
        """What has to be seen to know some quantiles to the bit."""
        ranks = {rank for q in quantiles for rank in found.ranks(q)[:2]}
        return cls(feature, lane, tuple(sorted({found.place(rank)[0] for rank in ranks})))

    def told(self, found: Numbers, quantiles: Sequence[float], answer: Answer) -> Numbers:
        """Statistics that know the quantiles; `answer` holds the values, sorted."""
        if not isinstance(answer, np.ndarray):
            raise TypeError(f"no values: {type(answer).__name__}")
        starts, n = {}, 0
        for bucket in self.buckets:
            starts[bucket] = n
            n += found.buckets[bucket]
        if n != answer.size:
            raise ValueError(f"{answer.size} values in buckets that held {n}")

        def value(rank: int) -> float:
            bucket, inside = found.place(rank)
            return float(answer[starts[bucket] + inside])

        known = dict(found.quantiles or {})
        for q in quantiles:
            low, high, share = found.ranks(q)
            known[q] = interpolated(value(low), value(high), share)
        return replace(found, quantiles=known)


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """Rows and sums of the target by category and fold.

    Attributes:
        column: The category column.
        dtype: Its logical type.
        categories: Those of the training rows.
        n_folds: Number of folds.
    """

    column: str
    dtype: LogicalType
    categories: tuple[Value, ...]
    n_folds: int


Wanted: TypeAlias = ValueStatistics | ValueBuckets | TargetCounts
Answer: TypeAlias = "Numbers | TargetSums | NDArray[np.float64]"
