"""Declared casts: a column read as another type, and only if no value is lost by it.

A number, a boolean, a date or a time may become another type if turning it back gives the same
value again. Text may become what it spells; ``"1.50"`` and ``"1.5"`` are one number then.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.type_names import is_binary, is_text

__all__ = ["LossyCastError", "can_cast", "cast_exactly", "cast_targets"]

_TARGETS: Final[dict[str, frozenset[str]]] = {
    "integer": frozenset({"float", "boolean", "string"}),
    "float": frozenset({"integer", "boolean", "string"}),
    "boolean": frozenset({"integer", "float", "string"}),
    "decimal": frozenset({"integer", "float", "string"}),
    "string": frozenset({"integer", "float", "boolean", "timestamp", "date"}),
    "timestamp": frozenset({"date", "string"}),
    "date": frozenset({"timestamp", "string"}),
    "binary": frozenset({"string"}),
    "time": frozenset({"string"}),
}
_DIGITS: Final = 76  # Of a decimal256.


class LossyCastError(Exception):
    """Some values do not survive a cast.

    Attributes:
        n_rows: How many; not which, since a message may be kept and a value be private.
    """

    def __init__(self, n_rows: int) -> None:
        super().__init__(n_rows)
        self.n_rows = n_rows


def can_cast(kind: str, wanted: str) -> bool:
    """Whether a kind of column, its logical type, may be declared as another type.

    Example:
        >>> can_cast("decimal", "float"), can_cast("integer", "date")
        (True, False)
    """
    return kind == wanted or wanted in _TARGETS.get(kind, frozenset())


def cast_targets(kind: str) -> list[str]:
    """What a kind of column may be declared as, sorted.

    Example:
        >>> cast_targets("binary")
        ['string']
    """
    return sorted(_TARGETS.get(kind, ()))


def cast_exactly(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """A column as another type, every value kept.

    Args:
        column: Of a type for which `can_cast` holds.
        wanted: The type.

    Raises:
        LossyCastError: Values that would not be kept; they are counted.

    Example:
        >>> cast_exactly(pa.chunked_array([[1, 2]]), pa.float64()).to_pylist()
        [1.0, 2.0]
    """
    if pa.types.is_floating(column.type):  # A missing number, whatever it is to become.
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit))
    if is_text(column.type):
        return _spelt(column.cast(pa.string()), wanted)
    if is_binary(column.type):
        return _decoded(column.cast(pa.binary()))
    if pa.types.is_time(column.type):  # In one unit, so that a time of the day has one spelling.
        return _kept(column, column.cast(pa.time64("us"), safe=False)).cast(wanted)
    return _kept(column, _unsafe(column, wanted))


def _kept(column: pa.ChunkedArray, cast: pa.ChunkedArray) -> pa.ChunkedArray:
    """What a column was cast to, if casting it back gives the same again."""
    lost = pc.fill_null(pc.not_equal(_back(cast, column.type), _widened(column)), False)
    n_lost = pc.sum(lost).as_py() or 0
    if n_lost:
        raise LossyCastError(n_lost)
    return cast


def _unsafe(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_boolean(wanted):
        return pc.not_equal(column, pa.scalar(0, column.type))
    return column.cast(wanted, safe=False)


def _back(cast: pa.ChunkedArray, original: pa.DataType) -> pa.ChunkedArray:
    """The values as their first type, which has to be wide enough for any of them."""
    if pa.types.is_decimal(original):
        original = pa.decimal256(_DIGITS, original.scale)
    if pa.types.is_string(cast.type):
        return cast.cast(original)
    return cast.cast(original, safe=False)


def _widened(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(column.type):
        return column.cast(pa.decimal256(_DIGITS, column.type.scale))
    return column


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        pass  # Counted below.
    raise LossyCastError(sum(not _is_utf8(value) for value in column.drop_null().to_pylist()))


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _spelt(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid:
        pass  # Counted below.
    counts = (item.values() for item in column.value_counts().to_pylist())
    raise LossyCastError(sum(n for value, n in counts if not _spells(value, wanted)))


def _spells(value: str, wanted: pa.DataType) -> bool:
    try:
        pa.scalar(value).cast(wanted)
    except pa.ArrowInvalid:
        return False
    return True
