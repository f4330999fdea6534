"""CSV files: UTF-8, a header line, comma-separated.

An unquoted empty cell and the unquoted words of `NULL_WORDS` are nulls in columns of every type;
quoted, they are text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import csv

from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.long_integers import long_integers
from mlops_ray.data.text_cut import read_rows, text_stream
from mlops_ray.data.type_names import storage_type
from mlops_ray.errors import ColumnError, MlopsRayError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlops_ray.data.place import Place
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.text_cut import Span

__all__ = ["NULL_WORDS", "read_csv", "read_header"]

NULL_WORDS: Final = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
_INFERENCE_BYTES: Final = 16 * 2**20  # Types are told from the file's first block.
_COLUMN_NUMBER: Final = re.compile(r"In CSV column #(\d+): ")


def read_header(path: Place, name: str) -> pa.Schema:
    """Column names, and their types as the first 16 MiB show them.

    Whole numbers of which one is beyond 64 bits are text, so that no digit is lost.

    Raises:
        SourceError: The file is absent, empty, not UTF-8 or no CSV.
    """
    try:
        first = _first_block(path, _conversion())
        schema = first.schema
        # What Arrow cannot decode it takes for bytes; a name it decodes when it is asked for.
        if schema.names and any(pa.types.is_binary(field.type) for field in schema):
            raise _unreadable(path, name, pa.ArrowInvalid("a column of bytes"))
        for column in long_integers(first, lambda names: _as_text(path, names)):
            at = schema.get_field_index(column)
            schema = schema.set(at, pa.field(column, pa.string()))
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise _unreadable(path, name, error) from None
    return schema


def _first_block(path: Place, conversion: csv.ConvertOptions) -> pa.Table:
    with (
        text_stream(path) as stream,
        csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=_INFERENCE_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=conversion,
        ) as reader,
    ):
        batch = next(iter(reader), None)
        return pa.Table.from_batches([] if batch is None else [batch], reader.schema)


def _as_text(path: Place, columns: Sequence[str]) -> pa.Table:
    return _first_block(path, _conversion(dict.fromkeys(columns, pa.string()), columns))


def read_csv(
    path: Place, name: str, span: Span | None, schema: Schema, columns: Sequence[str]
) -> pa.Table:
    """The named columns of a range of rows, cast to the types of the schema.

    Raises:
        ColumnError: A cell does not fit its column's type.
        SourceError: The file is absent, not UTF-8 or no CSV.
    """
    types = {column: storage_type(schema[column]) for column in schema}
    if "timestamp" in schema.values():
        types |= _zoned(read_header(path, name))
    try:
        data = read_rows(path, span, has_header=True)
        return csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(use_threads=False),
            # It costs time, and means nothing where nothing is quoted.
            parse_options=csv.ParseOptions(newlines_in_values=b'"' in data),
            convert_options=_conversion(types, columns),
        )
    except pa.ArrowInvalid as error:
        # Of a later piece Arrow counts the rows from where that begins.
        raise _misfit(path, name, schema, error, is_whole=not (span and span[0])) from None
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, name, error) from None


def _conversion(
    types: dict[str, pa.DataType] | None = None, columns: Sequence[str] = ()
) -> csv.ConvertOptions:
    return csv.ConvertOptions(
        column_types=types,
        include_columns=list(columns),
        null_values=list(NULL_WORDS),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def _zoned(header: pa.Schema) -> dict[str, pa.DataType]:
    """Times written with a zone have to be read with one; the cast to UTC comes later."""
    return {
        field.name: pa.timestamp("us", "UTC")
        for field in header
        if pa.types.is_timestamp(field.type) and field.type.tz is not None
    }


def _misfit(
    path: Place, name: str, schema: Schema, error: Exception, *, is_whole: bool
) -> Exception:
    found = _COLUMN_NUMBER.match(str(error))
    if found is None or _undecodable_line(path):
        return _unreadable(path, name, error, is_whole=is_whole)
    column = read_header(path, name).names[int(found[1])]
    return ColumnError(
        "a cell does not fit its column's type",
        arrow_words(error, is_whole=is_whole).removeprefix(found[0]),
        f"{schema[column]}, as in the first file's first rows",
        f"correct the cell, or declare 'data.columns.{column}.cast'",
        Where(file=name, key=column),
    )


def _unreadable(path: Place, name: str, error: Exception, *, is_whole: bool = True) -> Exception:
    if isinstance(error, MlopsRayError):  # Such as a bucket that does not answer.
        return error
    line = _undecodable_line(path)
    if line:
        hint = "write the file again as UTF-8"
        return SourceError("the CSV file is not UTF-8 text", hint=hint, where=Where(name, line))
    got = arrow_words(error, is_whole=is_whole)
    hint = "wanted is UTF-8 text, a header line and commas"
    return SourceError("cannot read the CSV file", got, "", hint, Where(file=name))


def _undecodable_line(path: Place) -> int:
    """First line, from 1, that is no UTF-8; 0 where all are. Reads the file: for messages only."""
    try:
        with text_stream(path) as stream:
            numbered = enumerate(_lines(stream), start=1)
            return next((number for number, line in numbered if not _is_utf8(line)), 0)
    except OSError:
        return 0


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _lines(stream: pa.NativeFile) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(_INFERENCE_BYTES):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole
    yield rest
