"""Arrow columns as numpy arrays: the one place where nulls, NaN and -0.0 are made uniform."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Column", "null_mask", "to_codes", "to_integers", "to_numbers", "to_ticks"]

Column: TypeAlias = pa.Array | pa.ChunkedArray


def null_mask(column: Column) -> NDArray[np.bool_]:
    """True where a value is null; NaN is not null here."""
    joined = _joined(column)
    if not joined.null_count:
        return np.zeros(len(joined), dtype=np.bool_)
    mask: NDArray[np.bool_] = joined.is_null().to_numpy(zero_copy_only=False)
    return mask


def to_numbers(column: Column) -> NDArray[np.float64]:
    """A column of numbers or booleans as float64: null becomes NaN, -0.0 becomes 0.0.

    Example:
        >>> to_numbers(pa.array([1, None, 3]))
        array([ 1., nan,  3.])
    """
    joined = _joined(column)
    if pa.types.is_boolean(joined.type):
        joined = joined.cast(pa.uint8())
    filled = joined.fill_null(0) if joined.null_count else joined
    values: NDArray[np.float64] = filled.to_numpy(zero_copy_only=False).astype(np.float64)
    values += 0.0  # -0.0 + 0.0 is 0.0; all else stays.
    values[null_mask(joined)] = np.nan
    return values


def to_integers(column: Column) -> NDArray[np.int64]:
    """A column of integers or booleans as int64, with 0 in place of nulls."""
    joined = _joined(column)
    if pa.types.is_boolean(joined.type):
        joined = joined.cast(pa.uint8())
    filled = joined.fill_null(0) if joined.null_count else joined
    values: NDArray[np.int64] = filled.to_numpy(zero_copy_only=False).astype(np.int64)
    return values


def to_ticks(column: Column) -> NDArray[np.int64]:
    """A date column as days, or a timestamp column as microseconds, since 1970; 0 for nulls."""
    joined = _joined(column)
    if pa.types.is_date(joined.type):
        return to_integers(joined.cast(pa.date32()).cast(pa.int32()))
    return to_integers(joined.cast(pa.timestamp("us")).cast(pa.int64()))


def to_codes(column: Column, name: str = "") -> tuple[NDArray[np.int32], list[str]]:
    """A string column as positions in its list of distinct values, -1 for null.

    Args:
        column: Plain or dictionary-encoded strings; a value may stand in a dictionary unused.
        name: The column's name, for messages.

    Raises:
        ColumnError: A value is not UTF-8.

    Example:
        >>> to_codes(pa.array(["b", None, "a", "b"]))
        (array([ 0, -1,  1,  0], dtype=int32), ['b', 'a'])
    """
    encoded = _encoded(column)
    indices = encoded.indices
    filled = indices.fill_null(-1) if indices.null_count else indices
    codes: NDArray[np.int32] = filled.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    try:
        return codes, encoded.dictionary.to_pylist()
    except UnicodeDecodeError as error:
        hint = "write the column as UTF-8"
        raise ColumnError(f"column {name!r} holds text that is not UTF-8", hint=hint) from error


def _encoded(column: Column) -> pa.DictionaryArray:
    if pa.types.is_dictionary(column.type):
        if isinstance(column, pa.ChunkedArray):
            column = column.unify_dictionaries()
        joined = _joined(column)
        clean = not joined.dictionary.null_count and pa.types.is_string(joined.type.value_type)
        if clean and joined.type.index_type == pa.int32():
            return joined
        column = joined.cast(joined.type.value_type)
    return _joined(column).cast(pa.string()).dictionary_encode()


def _joined(column: Column) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    return joined
