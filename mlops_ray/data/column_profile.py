"""The statistics of one column: what fits its features and what drift is measured against.

All of them add up exactly, so a column's profile does not depend on how its rows were grouped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypeVar

import numpy as np

from mlops_ray.data.counts import ValueCounts
from mlops_ray.data.exact import ExactSum
from mlops_ray.data.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.data.schema import LogicalType

__all__ = [
    "CategoryProfile",
    "ColumnProfile",
    "NumberProfile",
    "TimeProfile",
    "column_profile_from_json",
    "merge_columns",
]

_Bound = TypeVar("_Bound", int, float)
_UNITS: Final[dict[str, Literal["D", "us"]]] = {"date": "D", "timestamp": "us"}


@dataclass(frozen=True, slots=True)
class NumberProfile:
    """Statistics of an integer or float column, over its values as float64.

    Attributes:
        dtype: Logical type.
        n_rows: Rows, with nulls.
        n_null: Rows without a value: null or NaN.
        n_extreme: Infinities and values of 2^500 and more; nothing below counts them.
        minimum: Smallest value; None where there is none.
        maximum: Largest value; None where there is none.
        sums: Exact sums.
        histogram: Counts in relative-width buckets.
        counts: Counts of distinct values of an integer column; an overflow for floats.
    """

    dtype: LogicalType
    n_rows: int
    n_null: int
    n_extreme: int
    minimum: float | None
    maximum: float | None
    sums: ExactSum
    histogram: Histogram
    counts: ValueCounts

    def merge(self, other: NumberProfile) -> NumberProfile:
        """Statistics of both parts together."""
        return NumberProfile(
            self.dtype,
            self.n_rows + other.n_rows,
            self.n_null + other.n_null,
            self.n_extreme + other.n_extreme,
            _extreme(min, self.minimum, other.minimum),
            _extreme(max, self.maximum, other.maximum),
            self.sums + other.sums,
            self.histogram + other.histogram,
            self.counts + other.counts,
        )

    def quantile(self, q: float) -> float:
        """The q-quantile within 3.2 %, and never outside minimum and maximum; NaN of no values."""
        if self.minimum is None or self.maximum is None:
            return float("nan")
        return min(max(self.histogram.quantile(q), self.minimum), self.maximum)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `column_profile_from_json`."""
        return {
            "kind": "number",
            "dtype": self.dtype,
            "n_rows": self.n_rows,
            "n_null": self.n_null,
            "n_extreme": self.n_extreme,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "sums": self.sums.to_json(),
            "histogram": self.histogram.to_json(),
            "counts": self.counts.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        dtype: LogicalType = value["dtype"]
        return cls(
            dtype,
            value["n_rows"],
            value["n_null"],
            value["n_extreme"],
            _float(value["minimum"]),
            _float(value["maximum"]),
            ExactSum.from_json(value["sums"]),
            Histogram.from_json(value["histogram"]),
            ValueCounts.from_json(value["counts"], dtype),
        )


@dataclass(frozen=True, slots=True)
class CategoryProfile:
    """Statistics of a string or boolean column.

    Attributes:
        dtype: Logical type.
        n_rows: Rows, with nulls.
        n_null: Rows without a value.
        counts: Counts of distinct values.
    """

    dtype: LogicalType
    n_rows: int
    n_null: int
    counts: ValueCounts

    def merge(self, other: CategoryProfile) -> CategoryProfile:
        """Statistics of both parts together."""
        return CategoryProfile(
            self.dtype,
            self.n_rows + other.n_rows,
            self.n_null + other.n_null,
            self.counts + other.counts,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `column_profile_from_json`."""
        return {
            "kind": "category",
            "dtype": self.dtype,
            "n_rows": self.n_rows,
            "n_null": self.n_null,
            "counts": self.counts.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        dtype: LogicalType = value["dtype"]
        counts = ValueCounts.from_json(value["counts"], dtype)
        return cls(dtype, value["n_rows"], value["n_null"], counts)


@dataclass(frozen=True, slots=True)
class TimeProfile:
    """Statistics of a timestamp or date column.

    Attributes:
        dtype: Logical type.
        n_rows: Rows, with nulls.
        n_null: Rows without a value.
        minimum: Earliest value, in days or microseconds since 1970; None where there is none.
        maximum: Latest value, likewise.
    """

    dtype: LogicalType
    n_rows: int
    n_null: int
    minimum: int | None
    maximum: int | None

    def merge(self, other: TimeProfile) -> TimeProfile:
        """Statistics of both parts together."""
        return TimeProfile(
            self.dtype,
            self.n_rows + other.n_rows,
            self.n_null + other.n_null,
            _extreme(min, self.minimum, other.minimum),
            _extreme(max, self.maximum, other.maximum),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, times in ISO 8601, for `column_profile_from_json`."""
        unit = _UNITS[self.dtype]
        bounds = (self.minimum, self.maximum)
        written = [None if at is None else str(np.datetime64(at, unit)) for at in bounds]
        return {
            "kind": "time",
            "dtype": self.dtype,
            "n_rows": self.n_rows,
            "n_null": self.n_null,
            "minimum": written[0],
            "maximum": written[1],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        unit = _UNITS[value["dtype"]]
        read = [
            None if text is None else int(np.datetime64(text, unit).astype(np.int64))
            for text in (value["minimum"], value["maximum"])
        ]
        return cls(value["dtype"], value["n_rows"], value["n_null"], *read)


ColumnProfile: TypeAlias = NumberProfile | CategoryProfile | TimeProfile
_KINDS: Final[dict[str, type[ColumnProfile]]] = {
    "number": NumberProfile,
    "category": CategoryProfile,
    "time": TimeProfile,
}


def column_profile_from_json(value: dict[str, Any]) -> ColumnProfile:
    """The profile that `to_json` of any of the three kinds wrote."""
    return _KINDS[value["kind"]].from_json(value)


def merge_columns(one: ColumnProfile, other: ColumnProfile) -> ColumnProfile:
    """Statistics of two parts of one column together.

    Raises:
        TypeError: The two are not of one kind.
    """
    if isinstance(one, NumberProfile) and isinstance(other, NumberProfile):
        return one.merge(other)
    if isinstance(one, CategoryProfile) and isinstance(other, CategoryProfile):
        return one.merge(other)
    if isinstance(one, TimeProfile) and isinstance(other, TimeProfile):
        return one.merge(other)
    raise TypeError(f"cannot merge {type(one).__name__} with {type(other).__name__}")


def _extreme(pick: Callable[[list[_Bound]], _Bound], *bounds: _Bound | None) -> _Bound | None:
    there = [bound for bound in bounds if bound is not None]
    return pick(there) if there else None


def _float(value: float | None) -> float | None:
    """Canonical JSON writes 40.0 as 40."""
    return None if value is None else float(value)
