"""The rows of a unit, in the Arrow types that everything after it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_ray.data.arrays import one_array
from mlops_ray.data.cast import LossyCastError, cast_exactly
from mlops_ray.data.csv_file import read_csv
from mlops_ray.data.jsonl_file import read_jsonl
from mlops_ray.data.parquet_file import read_row_group
from mlops_ray.data.partition import partition_values
from mlops_ray.data.schema import ARROW_TYPES, Schema, kind_of
from mlops_ray.data.type_names import joinable_type, storage_type
from mlops_ray.data.unfit import unfit
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.schema import LogicalType
    from mlops_ray.data.unit import Unit

__all__ = ["read_unit"]


def read_unit(unit: Unit, schema: Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Columns of one unit in the canonical Arrow types of `data.schema.ARROW_TYPES`.

    Args:
        unit: What to read.
        schema: From `read_schema` over all files.
        columns: Columns wanted, in this order; all of the schema's by default.

    Raises:
        SourceError: The file is gone or torn.
        ColumnError: A value does not fit its column's type.
    """
    names = list(schema) if columns is None else list(columns)
    tables = [_read_piece(piece, schema, names) for piece in unit.pieces]
    if len(tables) == 1:
        return tables[0]
    # Files may store what is no feature, such as decimals, in several widths.
    joined = pa.concat_tables(tables, promote_options="permissive")
    return pa.table(
        [one_array(column) for column in joined.unify_dictionaries().columns], names=names
    )


def _read_piece(unit: Unit, schema: Schema, names: list[str]) -> pa.Table:
    folders = partition_values(unit.name)
    inside = [name for name in names if name not in folders]
    if unit.row_group is not None:
        encoded = [name for name in inside if schema[name] in {"string", "binary"}]
        table = read_row_group(unit.path, unit.name, unit.row_group, inside, encoded)
    elif unit.format == "csv":
        table = read_csv(unit.path, unit.name, unit.span, schema, inside)
    else:
        table = read_jsonl(unit.path, unit.name, unit.span, schema, inside)
    arrays = [
        _canonical(_repeated(folders[name], table.num_rows), schema, name, unit)
        if name in folders
        else _canonical(table.column(name), schema, name, unit)
        for name in names
    ]
    return pa.table(arrays, names=names)


def _repeated(value: str | None, n_rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(pa.scalar(value, pa.string()), n_rows)])


def _canonical(column: pa.ChunkedArray, schema: Schema, name: str, unit: Unit) -> pa.Array:
    wanted = ARROW_TYPES.get(schema[name])
    try:
        if wanted is None:
            return _carried(column, schema[name], name, unit)
        if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(wanted):
            column = column.cast(column.type.value_type)
        column = _declared(column, schema[name], name, unit)
        if pa.types.is_dictionary(wanted):
            return _dictionary(column)
        return one_array(column.cast(wanted))
    except pa.ArrowException as error:
        where = Where(file=unit.name, key=name)
        raise unfit(column.type, schema[name], where, error) from None


def _carried(column: pa.ChunkedArray, dtype: LogicalType, name: str, unit: Unit) -> pa.Array:
    """A column of a type that is not made features of, as the file stores it."""
    # A damaged page may hold offsets and numbers of entries that do not exist.
    column.validate(full=True)
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), storage_type(dtype))
    if kind_of(column.type) != dtype:
        what = "the column is of another type than when the files were listed"
        where = Where(file=unit.name, key=name)
        raise ColumnError(what, kind_of(column.type), dtype, where=where)
    return one_array(column.cast(joinable_type(column.type)))


def _declared(
    column: pa.ChunkedArray, wanted: LogicalType, name: str, unit: Unit
) -> pa.ChunkedArray:
    """The column as the declared type, where the file holds another."""
    if kind_of(column.type) in {wanted, "null"}:
        return column
    target = ARROW_TYPES[wanted]
    try:
        return cast_exactly(column, pa.string() if pa.types.is_dictionary(target) else target)
    except LossyCastError as error:
        group = "" if unit.row_group is None else f", row group {unit.row_group}"
        raise ColumnError(
            f"a cast to {wanted} would lose values",
            f"{error.n_rows} of {len(column)} rows{group} of type {column.type}",
            "values that the type holds",
            "declare another cast, or correct the values",
            Where(file=unit.name, key=name),
        ) from error


def _dictionary(column: pa.ChunkedArray) -> pa.Array:
    # A damaged page may hold numbers of entries that do not exist, which nothing below looks for.
    column.validate(full=True)
    if column.type != ARROW_TYPES["string"]:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        column = column.cast(pa.string()).dictionary_encode()
    return one_array(column.unify_dictionaries())
