"""What steps are fitted from: statistics of numbers, of categories and of the target.

They come from the profile of the training rows, or from a further pass over a column as its first
steps leave it; steps do not see which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from mlops_ray.data.exact import ExactSum
from mlops_ray.data.histogram import Histogram, bucket_lower_bounds
from mlops_ray.data.profile import CategoryProfile, ColumnProfile, NumberProfile
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlops_ray.data.counts import Value

__all__ = ["Categories", "Numbers", "TargetSums", "interpolated", "ordered"]

_Key = TypeVar("_Key", int, float)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Statistics of the training rows' numbers.

    Attributes:
        name: The column, for messages.
        n_rows: Rows, with nulls.
        n_null: Rows without a value.
        sums: Exact sums of the values.
        minimum: Smallest value; None where there is none.
        maximum: Largest value; None where there is none.
        buckets: Values in each bucket of relative width, in the order of the values.
        counts: Rows of each distinct value in their order; None where there are too many.
        quantiles: Quantiles that a further pass found, exact to the bit.
    """

    name: str
    n_rows: int
    n_null: int
    sums: ExactSum
    minimum: float | None
    maximum: float | None
    buckets: Mapping[int, int]
    counts: Mapping[float, int] | None
    quantiles: Mapping[float, float] | None = None

    @classmethod
    def of(cls, profile: ColumnProfile, name: str = "") -> Self:
        """Statistics of a number or boolean column."""
        if isinstance(profile, CategoryProfile):  # Booleans.
            return cls.of_counts(_as_floats(profile.counts.counts), profile.n_null, name)
        if not isinstance(profile, NumberProfile):
            raise TypeError(f"no numbers: {type(profile).__name__}")
        exact, filled = profile.counts, profile.histogram
        return cls(
            name,
            profile.n_rows,
            profile.n_null,
            profile.sums,
            profile.minimum,
            profile.maximum,
            dict(zip(filled.buckets.tolist(), filled.counts.tolist(), strict=True)),
            _as_floats(exact.counts) if exact.is_complete else None,
        )

    @classmethod
    def of_counts(cls, counts: Mapping[float, int], n_null: int, name: str = "") -> Self:
        """Statistics of values of which it is known how often each stands."""
        ordered = {value + 0.0: counts[value] for value in sorted(counts)}
        values = np.array(list(ordered), dtype=np.float64)
        rows = np.array(list(ordered.values()), dtype=np.int64)
        sums, filled = ExactSum.of_counts(values, rows), Histogram.of_counts(values, rows)
        low, high = min(ordered, default=None), max(ordered, default=None)
        buckets = dict(zip(filled.buckets.tolist(), filled.counts.tolist(), strict=True))
        return cls(name, n_null + sums.n, n_null, sums, low, high, buckets, ordered)

    @property
    def n(self) -> int:
        """Rows with a value."""
        return self.sums.n

    @property
    def mean(self) -> float:
        """Mean of the values, rounded once."""
        return self.sums.mean

    @property
    def deviation(self) -> float:
        """Standard deviation with divisor n."""
        return math.sqrt(self.sums.variance)

    def present(self) -> Self:
        """The same, refused where there is no value to fit on.

        Raises:
            ColumnError: Every row is null.
        """
        if not self.n:
            raise ColumnError(
                "the training rows hold no value to fit on",
                f"{self.n_null} nulls in {self.n_rows} rows",
                hint="leave the column out of the features",
                where=Where(key=self.name),
            )
        return self

    def filled(self, value: float) -> Self:
        """Statistics after every null has become `value`."""
        if not self.n_null:
            return self
        one = Numbers.of_counts({value: self.n_null}, 0)
        low, high = min(self.minimum, value) if self.minimum is not None else value, value
        return replace(
            self,
            n_null=0,
            sums=self.sums + one.sums,
            minimum=low,
            maximum=max(self.maximum, high) if self.maximum is not None else high,
            buckets=_added(self.buckets, one.buckets),
            counts=None if self.counts is None else _added(self.counts, one.counts or {}),
            quantiles=None,
        )

    def quantile(self, q: float) -> float:
        """The q-quantile: exact where values are counted or were looked at, else within 3.2 %."""
        exact = self.exact_quantile(q)
        if exact is not None:
            return exact
        rank, seen = max(math.ceil(q * self.n), 1), 0
        for bucket, count in self.buckets.items():
            seen += count
            if seen >= rank:
                bound = float(bucket_lower_bounds([bucket])[0])
                return min(max(bound, self.minimum or bound), self.maximum or bound)
        return math.nan

    def exact_quantile(self, q: float) -> float | None:
        """The q-quantile with linear interpolation; None where it is not known exactly."""
        if self.quantiles is not None and q in self.quantiles:
            return self.quantiles[q]
        if self.counts is None:
            return None
        low, high, share = self.ranks(q)
        return interpolated(_at(self.counts, low), _at(self.counts, high), share)

    def ranks(self, q: float) -> tuple[int, int, float]:
        """The two ranks, from 0, that the q-quantile lies between, and how far."""
        at = (self.n - 1) * q
        low = math.floor(at)
        return low, min(low + 1, self.n - 1), at - low

    def place(self, rank: int) -> tuple[int, int]:
        """The bucket that holds the value of a rank, and its rank inside the bucket."""
        for bucket, count in self.buckets.items():
            if rank < count:
                return bucket, rank
            rank -= count
        raise IndexError(rank)

    @property
    def mode(self) -> float | None:
        """The commonest value, of equally common ones the smallest; None where not counted."""
        if not self.counts:
            return None
        return max(self.counts, key=lambda value: (self.counts[value], -value))  # type: ignore[index]


def interpolated(low: float, high: float, share: float) -> float:
    """Linear interpolation that meets both ends, as ``numpy.quantile`` does it."""
    step = high - low
    return high - step * (1 - share) if share >= 0.5 else low + step * share


def _added(one: Mapping[_Key, int], other: Mapping[_Key, int]) -> dict[_Key, int]:
    merged = dict(one)
    for key, count in other.items():
        merged[key] = merged.get(key, 0) + count
    return dict(sorted(merged.items()))


def _as_floats(counts: Mapping[Value, int]) -> dict[float, int]:
    """Rows of each value as a float64; several integers beyond 2^53 may become one."""
    merged: dict[float, int] = {}
    for value, count in counts.items():
        merged[float(value)] = merged.get(float(value), 0) + count
    return merged


def _at(counts: Mapping[float, int], rank: int) -> float:
    for value, count in counts.items():
        if rank < count:
            return value
        rank -= count
    raise IndexError(rank)


@dataclass(frozen=True, slots=True)
class Categories:
    """How often each category stands in the training rows.

    Attributes:
        name: The column, for messages.
        counts: Category -> rows, sorted by category.
        n_null: Rows without a value.
    """

    name: str
    counts: Mapping[Value, int]
    n_null: int

    @classmethod
    def of(cls, profile: ColumnProfile, name: str) -> Self:
        """Categories of a text, integer or boolean column.

        Raises:
            ColumnError: There are more than the pass counts.
        """
        if isinstance(profile, NumberProfile | CategoryProfile) and profile.counts.is_complete:
            return cls(name, dict(profile.counts.counts), profile.n_null)
        raise ColumnError(
            "the column has too many distinct values to be told apart",
            hint="take the step 'hashing', group its values in the data, or leave it out",
            where=Where(key=name),
        )

    @property
    def n_rows(self) -> int:
        """Rows, with nulls."""
        return self.n_null + sum(self.counts.values())

    def mapped(self, change: Callable[[Value | None], Value | None]) -> Categories:
        """Counts after every category, and null, has become another."""
        merged: dict[Value, int] = {}
        n_null = 0
        for value, count in [*self.counts.items(), *([(None, self.n_null)] if self.n_null else [])]:
            found = change(value)
            if found is None:
                n_null += count
            else:
                merged[found] = merged.get(found, 0) + count
        return Categories(self.name, dict(ordered(merged.items())), n_null)

    def values(self) -> list[Value | None]:
        """Every category that there is, and at last null where there is one."""
        return [*self.counts, *([None] if self.n_null else [])]

    def numbers(self, encode: Callable[[Value | None], float]) -> Numbers:
        """Statistics of the numbers that categories are replaced by."""
        counts: dict[float, int] = {}
        n_null = 0
        for value in self.values():
            count, number = self.n_null if value is None else self.counts[value], encode(value)
            if math.isnan(number):
                n_null += count
            else:
                counts[number] = counts.get(number, 0) + count
        return Numbers.of_counts(counts, n_null, self.name)


def ordered(pairs: Iterable[tuple[Value, int]]) -> list[tuple[Value, int]]:
    """Pairs in the order of their categories; a label among integers comes last."""
    return sorted(pairs, key=lambda pair: (isinstance(pair[0], str), pair[0]))


@dataclass(frozen=True, slots=True)
class TargetSums:
    """Training rows and sums of the target by fold and category, each sum exact.

    Attributes:
        labels: Names of the sums: the classes that are counted, or one empty name for a value.
        n_folds: Number of folds.
        rows: ``(fold, category)`` -> rows; None is the category of nulls.
        sums: ``(fold, category)`` -> one exact sum a label.
    """

    labels: tuple[str, ...]
    n_folds: int
    rows: Mapping[tuple[int, Value | None], int]
    sums: Mapping[tuple[int, Value | None], tuple[ExactSum, ...]]

    def without(
        self, fold: int | None, change: Callable[[Value | None], Value | None]
    ) -> dict[Value | None, tuple[int, tuple[ExactSum, ...]]]:
        """Rows and sums by category, after a change of categories, of all folds but one."""
        found: dict[Value | None, tuple[int, tuple[ExactSum, ...]]] = {}
        nothing = (0, tuple(ExactSum() for _ in self.labels))
        for (at, raw), n in self.rows.items():
            if at != fold:
                n_before, before = found.get(change(raw), nothing)
                pairs = zip(before, self.sums[at, raw], strict=True)
                found[change(raw)] = (n_before + n, tuple(a + b for a, b in pairs))
        return found
