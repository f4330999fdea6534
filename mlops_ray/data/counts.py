"""Counts of a column's distinct values, given up alike in every grouping when they are too many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_ray.data.schema import LogicalType

__all__ = ["MAX_DISTINCT", "Value", "ValueCounts"]

Value: TypeAlias = str | int | bool
MAX_DISTINCT: Final = 10_000


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How often each value stands.

    More than `MAX_DISTINCT` values are an overflow: the counts are dropped, and stay dropped in
    every sum. A part has no more distinct values than the whole, so the whole overflows exactly if
    it has too many values, whatever the parts were.

    Attributes:
        counts: Value -> rows, sorted by value; empty after an overflow.
        is_overflow: Whether there were too many values.
    """

    counts: Mapping[Value, int] = field(default_factory=dict)
    is_overflow: bool = False

    @classmethod
    def of(cls, counts: Mapping[Value, int]) -> Self:
        """Counts of some rows; zero counts are dropped."""
        kept = {value: counts[value] for value in sorted(counts) if counts[value]}
        return cls({}, is_overflow=True) if len(kept) > MAX_DISTINCT else cls(kept)

    @classmethod
    def of_codes(cls, codes: NDArray[np.int32], values: list[str]) -> Self:
        """Counts of coded strings; codes of -1 are null and not counted."""
        rows = np.bincount(codes + 1, minlength=len(values) + 1)[1:]
        filled = np.flatnonzero(rows)
        if filled.size > MAX_DISTINCT:
            return cls({}, is_overflow=True)
        return cls.of({values[at]: int(rows[at]) for at in filled})

    @classmethod
    def of_integers(cls, values: NDArray[np.int64]) -> Self:
        """Counts of integers."""
        distinct, rows = np.unique(values, return_counts=True)
        if distinct.size > MAX_DISTINCT:
            return cls({}, is_overflow=True)
        return cls(dict(zip(distinct.tolist(), rows.tolist(), strict=True)))

    def __add__(self, other: ValueCounts) -> ValueCounts:
        """Counts of both parts together."""
        if self.is_overflow or other.is_overflow:
            return ValueCounts({}, is_overflow=True)
        merged = dict(self.counts)
        for value, count in other.counts.items():
            merged[value] = merged.get(value, 0) + count
        return ValueCounts.of(merged)

    def to_json(self) -> list[list[Any]] | None:
        """As plain JSON: pairs of value and count, sorted by value; None after an overflow."""
        return None if self.is_overflow else [[v, count] for v, count in self.counts.items()]

    @classmethod
    def from_json(cls, value: list[list[Any]] | None, dtype: LogicalType) -> Self:
        """The inverse of `to_json`; large integers come back from canonical JSON as strings."""
        if value is None:
            return cls({}, is_overflow=True)
        read = int if dtype == "integer" else (bool if dtype == "boolean" else str)
        return cls({read(item): count for item, count in value})
