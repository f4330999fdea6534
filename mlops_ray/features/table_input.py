"""Decoding Arrow tables into the blocks that the program works on."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.arrays import to_numbers
from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.schema import LogicalType, Schema, logical_type
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.program import Blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.features.program import Program

__all__ = ["blocks_of_table"]

# Number types that may stand for one another; whether floats are whole is checked by value.
_ACCEPTED: Final[dict[LogicalType, frozenset[LogicalType]]] = {
    "float": frozenset({"float", "integer", "decimal"}),
    "integer": frozenset({"integer", "float"}),
}
_UNTYPED: Final[dict[LogicalType, pa.DataType]] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


def blocks_of_table(program: Program, inputs: Schema, table: pa.Table) -> Blocks:
    """Blocks of a table; columns that are no inputs are passed over.

    Raises:
        ColumnError: An input column is absent, of another type, or not whole where it should be.
    """
    columns = {name: _column(name, dtype, table) for name, dtype in inputs.items()}
    numbers = np.empty((len(program.number_columns), table.num_rows))
    for at, (name, _, _) in enumerate(program.number_columns):
        numbers[at] = to_numbers(columns[name])
    codes = np.empty((len(program.coders), table.num_rows), dtype=np.int32)
    for at, coder in enumerate(program.coders):
        codes[at] = coder.codes(columns[coder.column])
    return Blocks(numbers, codes)


def _column(name: str, dtype: LogicalType, table: pa.Table) -> pa.ChunkedArray:
    where = Where(key=name)
    if name not in table.column_names:
        near = get_close_matches(name, table.column_names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "the model was trained with this column"
        others = f"{len(table.column_names)} other columns"
        raise ColumnError("no such column in the table", others, dtype, hint, where)
    column = table.column(name)
    try:
        found = logical_type(column.type)
    except TypeError as error:
        raise ColumnError("wrong type of column", str(error), dtype, where=where) from error
    if found is not None and found not in _ACCEPTED.get(dtype, {dtype}):
        raise ColumnError("wrong type of column", found, dtype, where=where)
    if found is None:
        return column.cast(_UNTYPED.get(dtype, pa.float64()))
    if dtype != "string" and pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if dtype == "timestamp":
        return _in_microseconds(name, column)
    if dtype == "integer" and pa.types.is_floating(column.type):
        _check_whole(name, to_numbers(column))
    return column


def _in_microseconds(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.timestamp("us", column.type.tz))
    except pa.ArrowInvalid as error:
        hint = "round the column to microseconds, and leave out what no calendar holds"
        where = Where(key=name)
        raise ColumnError("a time cannot be used", arrow_words(error), "", hint, where) from None


def _check_whole(name: str, values: NDArray[np.float64]) -> None:
    odd = np.flatnonzero(np.isfinite(values) & (values != np.floor(values)))
    if odd.size:
        got = f"{odd.size} of {values.size}, the first in row {odd[0]}"
        raise ColumnError("values are not whole", got, "integers", where=Where(key=name))
