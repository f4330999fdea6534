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
from mlops_ray.data.time_histogram import TimeHistogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.data.schema import LogicalType

__all__ = [
    "MAX_LISTED",
    "CategoryProfile",
    "ColumnProfile",
    "NumberProfile",
    "PresenceProfile",
    "TimeProfile",
    "column_profile_from_json",
    "merge_columns",
]

MAX_LISTED: Final = 256  # Values of a column in a document: it stays at a few kilobytes.

_Bound = TypeVar("_Bound", int, float)
_UNITS: Final[dict[str, Literal["D", "us"]]] = {"date": "D", "timestamp": "us"}


@dataclass(frozen=True, slots=True)
class NumberProfile:
    """Statistics of an integer, float or decimal column, over its values as float64.

    Attributes:
        dtype: Logical type.
        n_rows: Rows, with nulls.
        n_null: Rows without a value: null or NaN.
        n_extreme: Infinities and values of 2^500 and more; nothing below counts them.
        minimum: Smallest value; None where there is none.
        maximum: Largest value; None where there is none.
        sums: Exact sums.
        histogram: Counts in relative-width buckets.
        counts: Counts of distinct values.
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

    @classmethod
    def merged(cls, parts: Sequence[NumberProfile]) -> Self:
        """Statistics of all parts together."""
        dtype = parts[0].dtype
        return cls(
            dtype,
            sum(part.n_rows for part in parts),
            sum(part.n_null for part in parts),
            sum(part.n_extreme for part in parts),
            _extreme(min, [part.minimum for part in parts]),
            _extreme(max, [part.maximum for part in parts]),
            sum((part.sums for part in parts), start=ExactSum()),
            Histogram.merged(part.histogram for part in parts),
            ValueCounts.merged(dtype, (part.counts for part in parts)),
        )

    @property
    def is_exact(self) -> bool:
        """Whether rows are counted by whole number, so that two profiles compare value by value."""
        return self.dtype == "integer" and self.counts.is_complete

    def quantile(self, q: float) -> float:
        """The q-quantile within 3.2 %, and never outside minimum and maximum; NaN of no values."""
        if self.minimum is None or self.maximum is None:
            return float("nan")
        return min(max(self.histogram.quantile(q), self.minimum), self.maximum)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `column_profile_from_json`; of its values the commonest."""
        return {
            **self.scalars(),
            "histogram": self.histogram.to_json(),
            "counts": self.counts.commonest(MAX_LISTED).to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        histogram = Histogram.from_json(value["histogram"])
        return cls.of_parts(
            value, histogram, ValueCounts.from_json(value["counts"], value["dtype"])
        )

    def scalars(self) -> dict[str, Any]:
        """All but the histogram and the counts, as plain JSON."""
        return {
            "kind": "number",
            "dtype": self.dtype,
            "n_rows": self.n_rows,
            "n_null": self.n_null,
            "n_extreme": self.n_extreme,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "sums": self.sums.to_json(),
        }

    @classmethod
    def of_parts(cls, scalars: dict[str, Any], histogram: Histogram, counts: ValueCounts) -> Self:
        """The inverse of `scalars`."""
        return cls(
            scalars["dtype"],
            scalars["n_rows"],
            scalars["n_null"],
            scalars["n_extreme"],
            _float(scalars["minimum"]),
            _float(scalars["maximum"]),
            ExactSum.from_json(scalars["sums"]),
            histogram,
            counts,
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

    @classmethod
    def merged(cls, parts: Sequence[CategoryProfile]) -> Self:
        """Statistics of all parts together."""
        dtype = parts[0].dtype
        return cls(
            dtype,
            sum(part.n_rows for part in parts),
            sum(part.n_null for part in parts),
            ValueCounts.merged(dtype, (part.counts for part in parts)),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `column_profile_from_json`; of its values the commonest."""
        return {**self.scalars(), "counts": self.counts.commonest(MAX_LISTED).to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls.of_parts(value, ValueCounts.from_json(value["counts"], value["dtype"]))

    def scalars(self) -> dict[str, Any]:
        """All but the counts, as plain JSON."""
        return {
            "kind": "category",
            "dtype": self.dtype,
            "n_rows": self.n_rows,
            "n_null": self.n_null,
        }

    @classmethod
    def of_parts(cls, scalars: dict[str, Any], counts: ValueCounts) -> Self:
        """The inverse of `scalars`."""
        return cls(scalars["dtype"], scalars["n_rows"], scalars["n_null"], counts)


@dataclass(frozen=True, slots=True)
class TimeProfile:
    """Statistics of a timestamp or date column.

    Attributes:
        dtype: Logical type.
        n_rows: Rows, with nulls.
        n_null: Rows without a value.
        minimum: Earliest value, in days or microseconds since 1970; None where there is none.
        maximum: Latest value, likewise.
        histogram: Counts in bins of equal width; None in a document that was written without.
    """

    dtype: LogicalType
    n_rows: int
    n_null: int
    minimum: int | None
    maximum: int | None
    histogram: TimeHistogram | None

    @classmethod
    def merged(cls, parts: Sequence[TimeProfile]) -> Self:
        """Statistics of all parts together."""
        counted = [part.histogram for part in parts if part.histogram is not None]
        return cls(
            parts[0].dtype,
            sum(part.n_rows for part in parts),
            sum(part.n_null for part in parts),
            _extreme(min, [part.minimum for part in parts]),
            _extreme(max, [part.maximum for part in parts]),
            None if len(counted) < len(parts) else TimeHistogram.merged(counted),
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
            "histogram": None if self.histogram is None else self.histogram.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        unit = _UNITS[value["dtype"]]
        first, last = (
            None if text is None else int(np.datetime64(text, unit).astype(np.int64))
            for text in (value["minimum"], value["maximum"])
        )
        counted = value.get("histogram")  # Absent in version 1.
        histogram = None if counted is None else TimeHistogram.from_json(counted)
        return cls(value["dtype"], value["n_rows"], value["n_null"], first, last, histogram)


@dataclass(frozen=True, slots=True)
class PresenceProfile:
    """How often a column has a value: of types that are not measured, or whose values are private.

    Attributes:
        dtype: Logical type.
        n_rows: Rows, with nulls.
        n_null: Rows without a value.
    """

    dtype: LogicalType
    n_rows: int
    n_null: int

    @classmethod
    def merged(cls, parts: Sequence[PresenceProfile]) -> Self:
        """Statistics of all parts together."""
        n_rows, n_null = (sum(p.n_rows for p in parts), sum(p.n_null for p in parts))
        return cls(parts[0].dtype, n_rows, n_null)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `column_profile_from_json`."""
        return {
            "kind": "presence",
            "dtype": self.dtype,
            "n_rows": self.n_rows,
            "n_null": self.n_null,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(value["dtype"], value["n_rows"], value["n_null"])


ColumnProfile: TypeAlias = NumberProfile | CategoryProfile | TimeProfile | PresenceProfile
_KINDS: Final[dict[str, type[ColumnProfile]]] = {
    "number": NumberProfile,
    "category": CategoryProfile,
    "time": TimeProfile,
    "presence": PresenceProfile,
}


def column_profile_from_json(value: dict[str, Any]) -> ColumnProfile:
    """The profile that `to_json` of any of the kinds wrote."""
    return _KINDS[value["kind"]].from_json(value)


def merge_columns(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """Statistics of parts of one column together.

    Raises:
        TypeError: The parts are not of one kind, or there is none.
    """
    kinds = {type(part) for part in parts}
    if len(kinds) != 1:
        found = " with ".join(type(part).__name__ for part in parts) or "nothing"
        raise TypeError(f"cannot merge {found}")
    merged: ColumnProfile = kinds.pop().merged(parts)  # type: ignore[arg-type]  # Of that kind.
    return merged


def _extreme(pick: Callable[[list[_Bound]], _Bound], bounds: list[_Bound | None]) -> _Bound | None:
    there = [bound for bound in bounds if bound is not None]
    return pick(there) if there else None


def _float(value: float | None) -> float | None:
    """Canonical JSON writes 40.0 as 40."""
    return None if value is None else float(value)
