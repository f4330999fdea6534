"""Arrow columns as numpy arrays: the one place where nulls, NaN and -0.0 are made uniform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from mlops_ray.data.decimals import decimal_floats
from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.schema import LogicalType

__all__ = [
    "Column",
    "fixed_values",
    "null_mask",
    "one_array",
    "to_codes",
    "to_dictionary",
    "to_integers",
    "to_numbers",
    "to_ticks",
    "validity",
]

Column: TypeAlias = pa.Array | pa.ChunkedArray


def null_mask(column: Column) -> NDArray[np.bool_]:
    """True where a value is null; NaN is not null here."""
    joined = one_array(column)
    if not joined.null_count:
        return np.zeros(len(joined), dtype=np.bool_)
    mask: NDArray[np.bool_] = joined.is_null().to_numpy(zero_copy_only=False)
    return mask


def validity(column: Column) -> NDArray[np.bool_] | None:
    """As `null_mask`, but None where no value is null."""
    return null_mask(column) if column.null_count else None


def fixed_values(column: Column, dtype: LogicalType) -> NDArray[Any]:
    """Numbers, booleans as 0 and 1, or ticks, without a copy where there need be none.

    Args:
        column: In its canonical Arrow type.
        dtype: Its logical type; no string.

    Returns:
        float64 for floats, else int64; what stands in place of a null is of no account.
    """
    joined = one_array(column)
    if dtype == "boolean":
        joined = joined.cast(pa.uint8())
    elif dtype == "date":
        joined = joined.cast(pa.date32()).cast(pa.int32())
    elif dtype == "timestamp":
        joined = joined.cast(pa.timestamp("us"))
    joined = joined.cast(pa.float64() if dtype == "float" else pa.int64())
    buffer = joined.buffers()[1]
    stored = np.float64 if dtype == "float" else np.int64
    if buffer is None or not len(joined):
        return np.zeros(len(joined), dtype=stored)
    return np.frombuffer(buffer, stored)[joined.offset : joined.offset + len(joined)]


def to_numbers(column: Column) -> NDArray[np.float64]:
    """A column of numbers or booleans as float64: null becomes NaN, -0.0 becomes 0.0.

    Of decimals it is the nearest float64, which is what their digits are in JSON.

    Example:
        >>> to_numbers(pa.array([1, None, 3]))
        array([ 1., nan,  3.])
    """
    joined = one_array(column)
    if pa.types.is_boolean(joined.type):
        joined = joined.cast(pa.uint8())
    if pa.types.is_decimal(joined.type):
        return decimal_floats(joined)
    if joined.type in {pa.float64(), pa.int64()}:  # Where they lie.
        found = fixed_values(joined, "float" if joined.type == pa.float64() else "integer")
    else:
        filled = joined.fill_null(0) if joined.null_count else joined
        found = filled.to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(invalid="ignore"):  # Behind a null may stand anything.
        values: NDArray[np.float64] = found + 0.0  # -0.0 + 0.0 is 0.0; all else stays.
    if joined.null_count:
        values[null_mask(joined)] = np.nan
    return values


def to_integers(column: Column) -> NDArray[np.int64]:
    """A column of integers or booleans as int64, with 0 in place of nulls."""
    joined = one_array(column)
    if pa.types.is_boolean(joined.type):
        joined = joined.cast(pa.uint8())
    filled = joined.fill_null(0) if joined.null_count else joined
    values: NDArray[np.int64] = filled.to_numpy(zero_copy_only=False).astype(np.int64)
    return values


def to_ticks(column: Column) -> NDArray[np.int64]:
    """A date column as days, or a timestamp column as microseconds, since 1970; 0 for nulls."""
    joined = one_array(column)
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
    codes, values = to_dictionary(column, name)
    return np.where(codes < len(values), codes, -1).astype(np.int32), values.to_pylist()


def to_dictionary(column: Column, name: str = "") -> tuple[NDArray[np.intp], pa.Array]:
    """A string column as positions in an array of its values; null is one past the last.

    Args:
        column: Plain or dictionary-encoded strings; a value may stand in a dictionary unused.
        name: The column's name, for messages.

    Raises:
        ColumnError: A value is not UTF-8.
    """
    encoded = _encoded(column)
    indices, values = encoded.indices, encoded.dictionary
    filled = indices.fill_null(len(values)) if indices.null_count else indices
    codes: NDArray[np.intp] = filled.to_numpy(zero_copy_only=False).astype(np.intp)
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        hint = "write the column as UTF-8"
        raise ColumnError(f"column {name!r} holds text that is not UTF-8", hint=hint) from error
    return codes, values


def _encoded(column: Column) -> pa.DictionaryArray:
    if pa.types.is_dictionary(column.type):
        if isinstance(column, pa.ChunkedArray):
            column = column.unify_dictionaries()
        joined = one_array(column)
        clean = not joined.dictionary.null_count and pa.types.is_string(joined.type.value_type)
        if clean and joined.type.index_type == pa.int32():
            return joined
        column = joined.cast(joined.type.value_type)
    return one_array(column).cast(pa.string()).dictionary_encode()


def one_array(column: Column) -> pa.Array:
    """A column in one piece."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1 and not pa.types.is_nested(column.type):
        return column.chunk(0)  # Arrow would copy it; of lists that mends what a cast has left.
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    return joined
