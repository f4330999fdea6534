"""Units: the pieces of the input that are read and worked on one at a time.

A unit is a row group of a Parquet file or a whole CSV file. Units are numbered in the order of
(file name, row group); whatever works on them hands its results back in that order, so that the
number of CPUs and the order of completion never show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from mlops_ray.data.csv_file import read_csv, read_header
from mlops_ray.data.parquet_file import read_footer, read_row_group
from mlops_ray.data.schema import ARROW_TYPES, Schema, schema_of, untyped_columns
from mlops_ray.errors import ColumnError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlops_ray.data.source import FoundFile

__all__ = ["Unit", "check_typed", "list_units", "read_schema", "read_unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of the input; small enough to be sent to any worker.

    Attributes:
        index: Position among all units, from 0.
        path: Where the file can be read now.
        format: How the file is to be read.
        name: The file's name inside its source, for messages.
        row_group: Row group of a Parquet file; None for a whole CSV file.
    """

    index: int
    path: Path
    format: Literal["parquet", "csv"]
    name: str
    row_group: int | None


def list_units(files: Sequence[FoundFile]) -> list[Unit]:
    """All units of the files, in (file name, row group) order.

    Raises:
        SourceError: A file cannot be read.
    """
    pieces = [
        (file, group)
        for file in sorted(files, key=lambda found: found.name)
        for group in _row_groups(file)
    ]
    return [
        Unit(index, file.path, file.format, file.name, group)
        for index, (file, group) in enumerate(pieces)
    ]


def read_schema(files: Sequence[FoundFile]) -> Schema:
    """The schema that all files share, from every Parquet footer or the first CSV file's rows.

    Later CSV files only have to have the same columns: their cells are cast when they are read.

    Raises:
        SourceError: There are no files, they disagree, or a type is not supported.
    """
    if not files:
        raise SourceError("no input files", "0 files", "at least 1")
    return schema_of(_arrow_schemas(files))


def check_typed(files: Sequence[FoundFile], columns: Sequence[str]) -> None:
    """Refuse columns that have no type because they have no value; for a better message.

    Args:
        files: As for `read_schema`, which took such columns for text.
        columns: Columns that have to hold values.

    Raises:
        SourceError: The files hold no rows.
        ColumnError: A column is all null.
    """
    schema, units = read_schema(files), list_units(files)
    for column in untyped_columns(_arrow_schemas(files)):
        if column in columns:
            cells = [read_unit(unit, schema, [column]).column(column) for unit in units]
            n_rows = sum(len(part) for part in cells)
            if not n_rows:
                got = f"0 rows in {len(units)} row groups or files"
                raise SourceError("the input files hold no rows", got, "at least 1")
            if sum(part.null_count for part in cells) == n_rows:
                got = f"{n_rows} nulls in {n_rows} rows"
                hint = "leave it out of the features, or fill it"
                raise ColumnError("the column is all null", got, "values", hint, Where(key=column))


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
    if unit.row_group is None:
        table = read_csv(unit.path, unit.name, schema, names)
    else:
        table = read_row_group(unit.path, unit.name, unit.row_group, names)
    arrays = [_canonical(table.column(name), schema, name, unit) for name in names]
    return pa.table(arrays, names=names)


def _arrow_schemas(files: Sequence[FoundFile]) -> list[tuple[str, pa.Schema]]:
    ordered = sorted(files, key=lambda found: found.name)
    schemas = [(file.name, _arrow_schema(file)) for file in ordered]
    if ordered[0].format == "csv":
        types = {field.name: field.type for field in schemas[0][1]}
        schemas[1:] = [(name, _retyped(schema, types)) for name, schema in schemas[1:]]
    return schemas


def _row_groups(file: FoundFile) -> Sequence[int | None]:
    return [None] if file.format == "csv" else range(read_footer(file.path, file.name)[1])


def _arrow_schema(file: FoundFile) -> pa.Schema:
    if file.format == "csv":
        return read_header(file.path, file.name)
    return read_footer(file.path, file.name)[0]


def _retyped(schema: pa.Schema, types: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(f.name, types.get(f.name, f.type)) for f in schema])


def _canonical(column: pa.ChunkedArray, schema: Schema, name: str, unit: Unit) -> pa.Array:
    wanted = ARROW_TYPES[schema[name]]
    try:
        if pa.types.is_dictionary(wanted):
            return _dictionary(column)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return _joined(column.cast(wanted))
    except pa.ArrowException as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ColumnError(
            "a value does not fit its column's type",
            first_line,
            f"{schema[name]} ({wanted})",
            "write the column with a type that holds its values",
            Where(file=unit.name, key=name),
        ) from error


def _dictionary(column: pa.ChunkedArray) -> pa.Array:
    if column.type != ARROW_TYPES["string"]:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        column = column.cast(pa.string()).dictionary_encode()
    return _joined(column.unify_dictionaries())


def _joined(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    return joined
