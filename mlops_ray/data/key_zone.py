"""A cheap proof that keys are unique: rows in rising order of their key, in zones that are apart.

A running number or a time that rises through the files, the usual key of a table, is proven unique
while the rows are read: no key is kept, only the first and the last one of each unit. Where the
proof fails nothing is said; `data.repeated_keys` then looks at the keys themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

from mlops_ray.data.arrays import to_integers, to_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema

__all__ = ["KeyZones"]

_WHOLE: Final = frozenset({"integer", "boolean"})
_TIMES: Final = frozenset({"date", "timestamp"})
_Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyZones:
    """First and last key of each set of rows whose keys rise strictly.

    Attributes:
        zones: First and last key of each set.
        is_rising: Whether the keys rise in every set; else nothing is known.
    """

    zones: tuple[tuple[_Key, _Key], ...] = ()
    is_rising: bool = True

    @classmethod
    def of(cls, table: pa.Table, columns: Sequence[str], schema: Schema) -> Self:
        """The zone of a table's rows in their order.

        Args:
            table: Holds the columns in canonical types.
            columns: The key; only whole numbers, booleans and times without nulls are looked at.
            schema: Logical types.
        """
        known = all(
            schema[name] in _WHOLE | _TIMES and not table.column(name).null_count
            for name in columns
        )
        if not known:
            return cls(is_rising=False)
        if not table.num_rows:
            return cls()
        ticks = [_ticks(table.column(name), schema[name]) for name in columns]
        if not _rise(ticks):
            return cls(is_rising=False)
        first, last = (tuple(int(values[at]) for values in ticks) for at in (0, -1))
        return cls(((first, last),))

    @property
    def is_unique(self) -> bool:
        """Whether the zones prove that no key stands twice."""
        return self.is_rising and all(
            above[1] < below[0] for above, below in pairwise(sorted(self.zones))
        )

    def __add__(self, other: KeyZones) -> KeyZones:
        """What is known of both sets of rows."""
        if not (self.is_rising and other.is_rising):
            return KeyZones(is_rising=False)
        return KeyZones(self.zones + other.zones)

    def to_json(self) -> list[Any] | None:
        """As plain JSON, for `from_json`; None where nothing is known."""
        if not self.is_rising:
            return None
        return [[list(first), list(last)] for first, last in self.zones]

    @classmethod
    def from_json(cls, value: list[Any] | None) -> Self:
        """The inverse of `to_json`; large integers come back from canonical JSON as strings."""
        if value is None:
            return cls(is_rising=False)
        keys = [[tuple(int(part) for part in key) for key in zone] for zone in value]
        return cls(tuple((first, last) for first, last in keys))


def _ticks(column: pa.ChunkedArray, dtype: str) -> NDArray[np.int64]:
    return to_ticks(column) if dtype in _TIMES else to_integers(column)


def _rise(ticks: Sequence[NDArray[np.int64]]) -> bool:
    """Whether each row's key is above that of the row before, column by column."""
    rises = ticks[-1][1:] > ticks[-1][:-1]
    for values in reversed(ticks[:-1]):
        rises = (values[1:] > values[:-1]) | ((values[1:] == values[:-1]) & rises)
    return bool(rises.all())
