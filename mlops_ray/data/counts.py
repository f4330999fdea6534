"""Counts of a column's distinct values, given up alike in every grouping when they are too many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from mlops_ray.data.schema import LogicalType

__all__ = ["MAX_DISTINCT", "MAX_TEXT_BYTES", "Value", "ValueCounts"]

Value: TypeAlias = str | int | bool  # Of a category; a float is none.

# A column with more values than this is not counted. Strings are what is encoded, and may be ids
# of merchants or articles; a float with few values is a grade or a price from a list.
MAX_DISTINCT: Final[Mapping[str, int]] = MappingProxyType(
    {"string": 2**17, "integer": 10_000, "float": 1_000, "decimal": 1_000, "boolean": 2}
)
MAX_TEXT_BYTES: Final = 2**23  # Of the distinct strings of one column.
_DENSE: Final = 8  # Integers that lie so close are counted by place.
_TYPES: Final = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "decimal": pa.float64(),
    "boolean": pa.bool_(),
}
_READ: Final = {"string": str, "integer": int, "float": float, "decimal": float, "boolean": bool}


@dataclass(frozen=True, eq=False)
class ValueCounts:
    """How often each value stands.

    More than `MAX_DISTINCT` values, or strings of more than `MAX_TEXT_BYTES`, are an overflow: the
    counts are dropped, and stay dropped in every sum. A part has no more distinct values than the
    whole, so the whole overflows exactly if it has too many values, whatever the parts were.

    Attributes:
        dtype: Logical type of the column.
        values: Distinct values in their order; none after an overflow.
        rows: Rows that hold each of them, all above 0.
        is_overflow: Whether there were too many values.
        n_unlisted: Distinct values beside those listed, where only the commonest are.
        n_unlisted_rows: Rows that hold them.
    """

    dtype: LogicalType
    values: pa.Array
    rows: NDArray[np.int64]
    is_overflow: bool = False
    n_unlisted: int = 0
    n_unlisted_rows: int = 0

    @classmethod
    def none(cls, dtype: LogicalType, *, is_overflow: bool = False) -> Self:
        """Counts of no rows, or an overflow."""
        return cls(dtype, pa.array([], _TYPES[dtype]), np.zeros(0, dtype=np.int64), is_overflow)

    @classmethod
    def of(cls, dtype: LogicalType, values: Any, rows: NDArray[np.int64]) -> Self:  # noqa: ANN401 - an array of either kind
        """Counts of values in any order, where one may stand several times or for no row.

        Args:
            dtype: Logical type of the column.
            values: Arrow or numpy array of values.
            rows: Rows for each of them.
        """
        array = values if isinstance(values, pa.Array) else pa.array(values, _TYPES[dtype])
        encoded = array.dictionary_encode()
        # Counts stay far below 2^53, so floats add them up exactly.
        codes, distinct = encoded.indices.to_numpy(), encoded.dictionary
        summed = np.bincount(codes, rows, minlength=len(distinct)).astype(np.int64)
        if not summed.all():
            filled = np.flatnonzero(summed)
            distinct, summed = distinct.take(pa.array(filled)), summed[filled]
        if _is_too_much(dtype, distinct):
            return cls.none(dtype, is_overflow=True)
        order = _sorted(distinct)
        return cls(dtype, distinct.take(pa.array(order)), summed[order])

    @classmethod
    def of_mapping(cls, dtype: LogicalType, counts: Mapping[Any, int]) -> Self:
        """Counts from a mapping of values to rows."""
        rows = np.array(list(counts.values()), dtype=np.int64)
        return cls.of(dtype, pa.array(list(counts), _TYPES[dtype]), rows)

    @classmethod
    def of_rows(cls, rows: NDArray[np.int64], values: pa.Array) -> Self:
        """Counts of strings of one piece of the data, in any order; for `merged`.

        Args:
            rows: How many hold each of the values.
            values: Strings, none of them null.
        """
        filled = np.flatnonzero(rows)
        found = cls("string", values.take(pa.array(filled)), rows[filled])
        # A dictionary may hold a value twice, so too many entries are looked at more closely.
        is_large = _is_too_much("string", found.values)
        return cls.of("string", found.values, found.rows) if is_large else found

    @classmethod
    def of_numbers(
        cls, dtype: LogicalType, values: NDArray[np.int64] | NDArray[np.float64]
    ) -> Self:
        """Counts of integers, or of floats without NaN and -0.0."""
        limit = MAX_DISTINCT[dtype]
        if dtype == "integer" and values.size:
            lowest, highest = int(values.min()), int(values.max())
            if highest - lowest < _DENSE * limit:
                rows = np.bincount(values - lowest)
                filled = np.flatnonzero(rows)
                return cls.of(dtype, filled + lowest, rows[filled])
        if values.size > 4 * limit and np.unique(values[: 2 * limit]).size > limit:
            return cls.none(dtype, is_overflow=True)  # Most columns end here.
        found = pc.value_counts(pa.array(values))
        return cls.of(dtype, found.field("values"), found.field("counts").to_numpy())

    @classmethod
    def merged(cls, dtype: LogicalType, parts: Iterable[ValueCounts]) -> Self:
        """Counts of all parts together."""
        there = list(parts)
        if any(part.is_overflow or part.n_unlisted for part in there):
            return cls.none(dtype, is_overflow=True)
        filled = [part for part in there if part.rows.size]
        if not filled:
            return cls.none(dtype)
        values = pa.concat_arrays([part.values for part in filled])
        return cls.of(dtype, values, np.concatenate([part.rows for part in filled]))

    def __eq__(self, other: object) -> bool:
        """Whether the other counts the same."""
        return (
            isinstance(other, ValueCounts)
            and self._summary == other._summary
            and self.values.equals(other.values)
            and np.array_equal(self.rows, other.rows)
        )

    __hash__ = None  # type: ignore[assignment]  # Arrays have none.

    @property
    def _summary(self) -> tuple[str, bool, int, int]:
        return self.dtype, self.is_overflow, self.n_unlisted, self.n_unlisted_rows

    def __add__(self, other: ValueCounts) -> ValueCounts:
        """Counts of both parts together."""
        return ValueCounts.merged(self.dtype, [self, other])

    @cached_property
    def counts(self) -> Mapping[Any, int]:
        """Value -> rows, sorted by value; of the listed ones, empty after an overflow."""
        return dict(zip(self.values.to_pylist(), self.rows.tolist(), strict=True))

    @property
    def is_complete(self) -> bool:
        """Whether every value is listed."""
        return not self.is_overflow and not self.n_unlisted

    @property
    def n_distinct(self) -> int:
        """Distinct values; 0 after an overflow."""
        return len(self.values) + self.n_unlisted

    def commonest(self, n_values: int) -> ValueCounts:
        """The same with at most `n_values` listed; of equally frequent ones the smaller value."""
        if len(self.values) <= n_values:
            return self
        listed = np.sort(np.argsort(-self.rows, kind="stable")[:n_values])
        rows = self.rows[listed]
        n_rows = int(self.rows.sum() - rows.sum()) + self.n_unlisted_rows
        values, n_unlisted = self.values.take(pa.array(listed)), self.n_distinct - n_values
        return ValueCounts(self.dtype, values, rows, False, n_unlisted, n_rows)

    def to_json(self) -> dict[str, Any] | None:
        """As plain JSON; None after an overflow."""
        if self.is_overflow:
            return None
        pairs = [[value, count] for value, count in self.counts.items()]
        return {
            "n_distinct": self.n_distinct,
            "n_unlisted_rows": self.n_unlisted_rows,
            "top": pairs,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any] | list[list[Any]] | None, dtype: LogicalType) -> Self:
        """The inverse of `to_json`; of version 1 of a profile, pairs of value and count.

        Large integers come back from canonical JSON as strings, whole floats as integers.
        """
        if value is None:
            return cls.none(dtype, is_overflow=True)
        pairs = value if isinstance(value, list) else value["top"]
        listed = pa.array([_READ[dtype](item) for item, _ in pairs], _TYPES[dtype])
        rows = np.array([count for _, count in pairs], dtype=np.int64)
        if isinstance(value, list):
            return cls(dtype, listed, rows)
        n_unlisted = value["n_distinct"] - len(pairs)
        return cls(dtype, listed, rows, False, n_unlisted, value["n_unlisted_rows"])


def _sorted(values: pa.Array) -> NDArray[np.intp]:
    if pa.types.is_string(values.type):
        order: NDArray[np.intp] = pc.sort_indices(values).to_numpy().astype(np.intp)
        return order
    return np.argsort(values.to_numpy(zero_copy_only=False))


def _is_too_much(dtype: LogicalType, values: pa.Array) -> bool:
    if len(values) > MAX_DISTINCT[dtype]:
        return True
    if dtype != "string" or not len(values):
        return False
    return bool(pc.sum(pc.binary_length(values)).as_py() > MAX_TEXT_BYTES)
