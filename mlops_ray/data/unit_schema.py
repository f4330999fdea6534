"""The schema of the input: what all its files have to share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_ray.data.csv_file import read_header
from mlops_ray.data.jsonl_file import read_members
from mlops_ray.data.parquet_file import read_footer
from mlops_ray.data.partition import partition_fields
from mlops_ray.data.schema import Schema, schema_of, untyped_columns
from mlops_ray.data.type_names import storage_type
from mlops_ray.data.unit import each_file, list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.errors import ColumnError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.data.schema import LogicalType
    from mlops_ray.data.source import FoundFile

__all__ = ["check_fits", "check_typed", "read_schema"]


def read_schema(
    files: Sequence[FoundFile], casts: Mapping[str, LogicalType] | None = None
) -> Schema:
    """The schema that all files share, from every Parquet footer or the first rows of text.

    Later CSV files only have to have the same columns, since a CSV has no types: their cells are
    read as the first file's. What the names of folders hold comes last.

    Args:
        files: The files.
        casts: Columns that are to be read as another type, whatever the files hold.

    Raises:
        SourceError: There are no files, they disagree, or a type is not supported.
    """
    if not files:
        raise SourceError("no input files", "0 files", "at least 1")
    return schema_of(_arrow_schemas(files), casts)


def check_fits(
    file: FoundFile, schema: Schema, casts: Mapping[str, LogicalType] | None = None
) -> None:
    """Refuse a file that lacks a column or has it with another type; its rows are not read.

    Args:
        file: The file.
        schema: Of the columns that are wanted.
        casts: Columns whose type was declared, whatever the file holds.

    Raises:
        SourceError: It does not fit, or cannot be read.
    """
    wanted = pa.schema([(name, storage_type(dtype)) for name, dtype in schema.items()])
    ((name, found),) = _arrow_schemas([file])
    if file.format == "csv":
        found = _retyped(found, {field.name: field.type for field in wanted})
    shown = pa.schema([field for field in found if field.name in schema])
    schema_of([("other files", wanted), (name, shown)], casts)


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


def _arrow_schemas(files: Sequence[FoundFile]) -> list[tuple[str, pa.Schema]]:
    ordered = sorted(files, key=lambda found: found.name)
    schemas = list(
        zip((file.name for file in ordered), each_file(ordered, _arrow_schema), strict=True)
    )
    if ordered[0].format == "csv":
        types = {field.name: field.type for field in schemas[0][1]}
        schemas[1:] = [(name, _retyped(schema, types)) for name, schema in schemas[1:]]
    folders = partition_fields(ordered)
    return [(name, _with_folders(schema, folders, name)) for name, schema in schemas]


def _with_folders(schema: pa.Schema, folders: list[pa.Field], name: str) -> pa.Schema:
    for field in folders:
        if field.name in schema.names:
            raise SourceError(
                "a column stands in the file and in its folder's name",
                repr(field.name),
                hint="leave it out of the files, or rename the folders",
                where=Where(file=name, key=field.name),
            )
        schema = schema.append(field)
    return schema


def _arrow_schema(file: FoundFile) -> pa.Schema:
    if file.format == "parquet":
        return read_footer(file.path, file.name)[0]
    return (read_header if file.format == "csv" else read_members)(file.path, file.name)


def _retyped(schema: pa.Schema, types: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(f.name, types.get(f.name, f.type)) for f in schema])
