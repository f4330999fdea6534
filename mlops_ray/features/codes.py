"""From values to codes: small whole numbers that tables are looked up by.

Each coder has two ways in, a Python value and an Arrow column, and both give the same codes: that
of a category, a hash bucket or a calendar field, and codes of their own for what is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.arrays import (
    null_mask,
    to_codes,
    to_dictionary,
    to_integers,
    to_numbers,
    to_ticks,
)
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.steps.step import Odd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.steps.step import Code

__all__ = ["CalendarField", "Coder", "Hashed", "Vocabulary", "read_time"]


class Coder(Protocol):
    """One row of codes of one column."""

    @property
    def column(self) -> str:
        """Name of the column."""

    @property
    def meanings(self) -> Sequence[Any]:
        """What each code stands for: as many as there are codes."""

    def codes(self, column: pa.ChunkedArray) -> NDArray[np.int32]:
        """Codes of an Arrow column."""


class _Places(dict[Any, int]):
    """Category -> code; any other value has the code before that of null."""

    def __missing__(self, _value: Any) -> int:  # noqa: ANN401 - a category
        return len(self) - 1


@dataclass(frozen=True)
class Vocabulary:
    """Known categories by their place, then one code for all others, then one for null."""

    column: str
    dtype: LogicalType
    categories: tuple[Value, ...]

    @property
    def meanings(self) -> Sequence[Code]:
        """The categories, unseen, null."""
        return [*self.categories, Odd.UNSEEN, None]

    @cached_property
    def code(self) -> Callable[[Any], int]:
        """Code of a value of the column's type, or None."""
        places = _Places({category: at for at, category in enumerate(self.categories)})
        places[None] = len(self.categories) + 1
        return places.__getitem__

    def codes(self, column: pa.ChunkedArray) -> NDArray[np.int32]:
        """Codes of an Arrow column; integers are compared as such."""
        if self.dtype == "string":
            return self._of_strings(column)
        values, missing = _whole(column)
        unseen = np.int32(len(self.categories))
        order = np.argsort([int(category) for category in self.categories])
        known = np.array([int(category) for category in self.categories], np.int64)[order]
        if not known.size:
            return np.where(missing, unseen + 1, unseen).astype(np.int32)
        at = np.minimum(np.searchsorted(known, values), known.size - 1)
        found = np.where(known[at] == values, order[at], unseen)
        return np.where(missing, unseen + 1, found).astype(np.int32)

    def _of_strings(self, column: pa.ChunkedArray) -> NDArray[np.int32]:
        """Arrow looks distinct values up: a Python call for each would cost more than all else."""
        places, texts = to_dictionary(column, self.column)
        unseen = len(self.categories)
        found = pc.index_in(texts, value_set=self._texts).fill_null(unseen).to_numpy()
        return np.append(found, np.int32(unseen + 1))[places].astype(np.int32, copy=False)

    @cached_property
    def _texts(self) -> pa.Array:
        return pa.array(self.categories, pa.string())


@dataclass(frozen=True)
class Hashed:
    """Buckets with two signs each, then one code for no bucket, then one for what is refused.

    Attributes:
        column: Name of the column.
        dtype: Its logical type.
        n_buckets: How many.
        key: The fitted steps, which tell this coder from others.
        encode: From a value to bucket and weight.
    """

    column: str
    dtype: LogicalType
    n_buckets: int
    key: str
    encode: Callable[[Code], Any] = field(compare=False)

    @property
    def meanings(self) -> Sequence[Any]:
        """Bucket and weight each, none, refused."""
        pairs = [(at, weight) for at in range(self.n_buckets) for weight in (1.0, -1.0)]
        return [*pairs, None, Odd.REFUSED]

    def code(self, value: Any) -> int:  # noqa: ANN401 - a cell
        """Code of a value of the column's type, or None."""
        # JSON may write a whole number as a float.
        found = self.encode(int(value) if isinstance(value, float) else value)
        if found is None or found is Odd.REFUSED:
            return 2 * self.n_buckets + (found is Odd.REFUSED)
        bucket, weight = found
        return int(2 * bucket + (weight < 0))

    def codes(self, column: pa.ChunkedArray) -> NDArray[np.int32]:
        """Codes of an Arrow column; each distinct value is hashed once."""
        if self.dtype == "string":
            return _of_strings(column, self.column, self.code)
        values, missing = _whole(column)
        distinct, places = np.unique(values, return_inverse=True)
        read = bool if self.dtype == "boolean" else int
        found = np.array([self.code(read(value)) for value in distinct.tolist()], np.int32)
        known = found[places] if distinct.size else np.empty(0, np.int32)
        return np.where(missing, np.int32(self.code(None)), known)


def _of_strings(
    column: pa.ChunkedArray, name: str, code: Callable[[Any], int]
) -> NDArray[np.int32]:
    found, texts = to_codes(column, name)
    return np.array([*map(code, texts), code(None)], dtype=np.int32)[found]  # -1 takes the last.


def _whole(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A column of whole numbers or booleans as int64, and which values are missing."""
    missing = null_mask(column)
    if not pa.types.is_floating(column.type):
        return to_integers(column), missing  # Not by way of float64: they may exceed 2^53.
    numbers = to_numbers(column)
    missing = np.isnan(numbers) | (np.abs(numbers) >= 2.0**63)
    return np.where(missing, 0.0, numbers).astype(np.int64), missing


_DAY_US: Final = 86_400_000_000
_FIRST_TICK: Final = {"date": -719_162, "timestamp": -719_162 * _DAY_US}  # 0001-01-01.
_LAST_TICK: Final = {"date": 2_932_896, "timestamp": 2_932_897 * _DAY_US - 1}  # Of year 9999.
_OF_DATETIME: Final[dict[str, Callable[[Any], int]]] = {
    "year": lambda at: at.year,
    "quarter": lambda at: (at.month + 2) // 3,
    "month": lambda at: at.month,
    "day": lambda at: at.day,
    "day_of_year": lambda at: at.timetuple().tm_yday,
    "weekday": lambda at: at.weekday(),
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "second": lambda at: at.second,
}
_LARGEST: Final = {
    "year": 9999, "quarter": 4, "month": 12, "day": 31, "day_of_year": 366, "weekday": 6,
    "hour": 23, "minute": 59, "second": 59,
}  # fmt: skip


@dataclass(frozen=True)
class CalendarField:
    """A field of a time in UTC, such as the month; the last code is that of null."""

    column: str
    dtype: LogicalType
    name: str

    @property
    def meanings(self) -> Sequence[int | None]:
        """The field's values, null."""
        return [*range(_LARGEST[self.name] + 1), None]

    @property
    def null(self) -> int:
        """Code of null."""
        return _LARGEST[self.name] + 1

    @property
    def of_datetime(self) -> Callable[[Any], int]:
        """Code of a naive `datetime.datetime` in UTC, or of a `datetime.date`."""
        return _OF_DATETIME[self.name]

    def codes(self, column: pa.ChunkedArray) -> NDArray[np.int32]:
        """Codes of an Arrow column.

        Raises:
            ColumnError: A time lies outside the years 1 to 9999.
        """
        ticks, missing = to_ticks(column), null_mask(column)
        beyond = (ticks < _FIRST_TICK[self.dtype]) | (ticks > _LAST_TICK[self.dtype])
        if beyond.any():
            got, where = f"row {int(np.argmax(beyond))}", Where(key=self.column)
            raise ColumnError("a time cannot be used", got, "years 1 to 9999", "", where)
        unit = "D" if self.dtype == "date" else "us"
        found = _field(self.name, ticks.view(f"M8[{unit}]"))
        return np.where(missing, np.int32(self.null), found.astype(np.int32))


def _field(name: str, times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    days, months = times.astype("M8[D]"), times.astype("M8[M]")
    month = months.astype(np.int64)
    if name in {"hour", "minute", "second"}:
        second = (times.astype("M8[s]") - days.astype("M8[s]")).astype(np.int64)
        found = {"hour": second // 3600, "minute": second // 60 % 60, "second": second % 60}[name]
    elif name == "weekday":
        found = (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday.
    elif name in {"day", "day_of_year"}:
        start = months if name == "day" else times.astype("M8[Y]")
        found = (days - start.astype("M8[D]")).astype(np.int64) + 1
    elif name == "year":
        found = month // 12 + 1970
    else:
        found = month % 12 + 1 if name == "month" else month % 12 // 3 + 1
    return np.asarray(found, dtype=np.int64)


def read_time(value: Any, dtype: LogicalType) -> datetime | date:  # noqa: ANN401 - a cell
    """A time as JSON or Python gives it, without a zone, in UTC.

    Raises:
        ValueError: It is no ISO 8601 text, or out of range.

    Example:
        >>> read_time("2018-01-31T23:30:00-02:00", "timestamp")
        datetime.datetime(2018, 2, 1, 1, 30)
    """
    if dtype == "date":
        return date.fromisoformat(value) if isinstance(value, str) else value
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(at, datetime):
        raise ValueError("a date without time")  # noqa: TRY004 - as any other misfit
    if at.tzinfo is None:
        return at
    try:
        return at.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(str(error)) from error
