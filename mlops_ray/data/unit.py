"""Units: the pieces of the input that are read and worked on one at a time.

A unit is a row group of a Parquet file or a range of rows of a text file; where there are very many
small ones, several of them. Units are numbered in the order of (file name, row group); whatever
works on them hands its results back in that order, so that the number of CPUs and the order of
completion never show.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import pyarrow as pa

from mlops_ray.data.arrays import one_array
from mlops_ray.data.cast import LossyCastError, cast_exactly
from mlops_ray.data.csv_file import read_csv, read_header
from mlops_ray.data.jsonl_file import read_jsonl, read_members
from mlops_ray.data.parquet_file import read_footer, read_row_group
from mlops_ray.data.partition import partition_fields, partition_values
from mlops_ray.data.schema import ARROW_TYPES, Schema, kind_of, schema_of, untyped_columns
from mlops_ray.data.text_cut import cut_rows
from mlops_ray.data.type_names import joinable_type, storage_type
from mlops_ray.data.unfit import unfit
from mlops_ray.errors import ColumnError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mlops_ray.data.place import Place
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.data.source import FileFormat, FoundFile
    from mlops_ray.data.text_cut import Span

__all__ = ["Unit", "check_fits", "check_typed", "list_units", "read_schema", "read_unit"]

T = TypeVar("T")
# A unit costs tens of milliseconds whatever its size: small neighbours are worked on together,
# where there is more than one of the usual size, or very many.
_MANY: Final = 256
_PIECES_A_UNIT: Final = 64
_ROWS_A_UNIT: Final = 2**18
_BYTES_A_UNIT: Final = 2**26
_TEXT_BYTES_A_UNIT: Final = 2**24
_REQUESTS: Final = 16  # To a bucket at once.


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of the input; small enough to be sent to any worker.

    Attributes:
        index: Position among all units, from 0.
        path: Where the file can be read now.
        format: How the file is to be read.
        name: The file's name inside its source, for messages.
        row_group: Row group of a Parquet file; None for a text file.
        span: Range of bytes of a large text file; None for the whole of it.
        more: Further pieces that are read with this one, in order.
    """

    index: int
    path: Place
    format: FileFormat
    name: str
    row_group: int | None
    span: Span | None = None
    more: tuple[Unit, ...] = ()

    @property
    def pieces(self) -> tuple[Unit, ...]:
        """This piece and those that are read with it."""
        return (self, *self.more)


def list_units(files: Sequence[FoundFile]) -> list[Unit]:
    """All units of the files, in (file name, row group) order.

    Raises:
        SourceError: A file cannot be read.
    """
    ordered = sorted(files, key=lambda found: found.name)
    pieces = [piece for found in _each(ordered, _pieces) for piece in found]
    is_much = len(pieces) > _MANY or sum(size for _, size in pieces) > 1
    grouped = _grouped(pieces) if is_much else [[piece] for piece, _ in pieces]
    return [
        replace(first, index=index, more=tuple(more))
        for index, (first, *more) in enumerate(grouped)
    ]


def _pieces(file: FoundFile) -> list[tuple[Unit, float]]:
    """What a file is read in, and which share of a unit each piece fills."""
    if file.format == "parquet":
        sizes = read_footer(file.path, file.name)[1]
        return [
            (
                Unit(0, file.path, file.format, file.name, group),
                max(size.n_rows / _ROWS_A_UNIT, size.n_bytes / _BYTES_A_UNIT),
            )
            for group, size in enumerate(sizes)
        ]
    try:
        spans = cut_rows(file)
    except OSError as error:
        got = error.strerror or type(error).__name__
        raise SourceError("cannot read the file", got, where=Where(file=file.name)) from error
    size = file.size_bytes / len(spans) / _TEXT_BYTES_A_UNIT
    return [(Unit(0, file.path, file.format, file.name, None, span), size) for span in spans]


def _grouped(pieces: Iterable[tuple[Unit, float]]) -> Iterator[list[Unit]]:
    """Small neighbours together; which ones depends on the files alone, and no result on it."""
    open_group: list[Unit] = []
    filled = 0.0
    for unit, size in pieces:
        if open_group and (filled + size > 1 or len(open_group) == _PIECES_A_UNIT):
            yield open_group
            open_group, filled = [], 0.0
        open_group.append(unit)
        filled += size
    if open_group:
        yield open_group


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


def _arrow_schemas(files: Sequence[FoundFile]) -> list[tuple[str, pa.Schema]]:
    ordered = sorted(files, key=lambda found: found.name)
    schemas = list(zip((file.name for file in ordered), _each(ordered, _arrow_schema), strict=True))
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


def _each(files: Sequence[FoundFile], fn: Callable[[FoundFile], T]) -> list[T]:
    """Of every file in order; what a bucket answers is waited for many at a time."""
    if not files or isinstance(files[0].path, Path):
        return [fn(file) for file in files]
    with ThreadPoolExecutor(_REQUESTS) as pool:
        return list(pool.map(fn, files))


def _retyped(schema: pa.Schema, types: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(f.name, types.get(f.name, f.type)) for f in schema])


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
