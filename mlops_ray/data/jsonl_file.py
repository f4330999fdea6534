"""JSON lines: UTF-8, one object a line, whose members are the columns.

A member that is absent or null is a null. Types are those that JSON shows, as far as the first
16 MiB do; text that is an ISO date or time all along is one.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from json import loads
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.long_integers import long_integers
from mlops_ray.data.schema import logical_type
from mlops_ray.data.text_cut import read_rows, text_stream
from mlops_ray.data.type_names import storage_type
from mlops_ray.errors import ColumnError, MlopsRayError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.place import Place
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.text_cut import Span

__all__ = ["read_jsonl", "read_members"]

_BLOCK_BYTES: Final = 16 * 2**20  # Types are told from the first block; no row may be larger.
_COLUMN: Final = re.compile(r"Column\(/([^/)]+)")
_ZONE: Final = r"(?:Z|[+-]\d\d:?\d\d)$"
# The parser is told to expect text of these; they are cast afterwards.
_SPELT: Final = frozenset({"timestamp", "date"})


def read_members(place: Place, name: str) -> pa.Schema:
    """The members of the objects, and their types as the first 16 MiB show them.

    Raises:
        SourceError: The file is absent, empty, not UTF-8 or not JSON lines.
    """
    try:
        with text_stream(place) as stream:
            data = _whole_lines(stream.read(_BLOCK_BYTES), name)
        return _shown(data, name)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise _unreadable(name, error) from None


def read_jsonl(
    place: Place, name: str, span: Span | None, schema: Schema, columns: Sequence[str]
) -> pa.Table:
    """The named members of the objects in a range of rows.

    They come in the types of the schema, or in their own where that is another: then a cast was
    declared.

    Raises:
        ColumnError: A value does not fit its column's type.
        SourceError: The file is absent, not UTF-8 or not JSON lines.
    """
    try:
        data = read_rows(place, span, has_header=False)
        types = {column: _parsed_type(schema[column]) for column in columns}
        if not data.strip():
            return pa.table({column: pa.array([], dtype) for column, dtype in types.items()})
        try:
            table = _typed(data, types)
        except pa.ArrowInvalid as error:
            table = _typed(data, _corrected(data, types, schema, place, name, error))
        table.validate(full=True)
        return _with_times(table.select(list(columns)), schema, name)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(name, error) from None


def _parsed_type(dtype: LogicalType) -> pa.DataType:
    return pa.string() if dtype in _SPELT else storage_type(dtype)


def _shown(data: bytes, name: str) -> pa.Schema:
    found = _parsed(data, None, "infer")
    _refuse_long_integers(found, data, name)
    schema = found.schema
    # Arrow takes some texts for times; which, depends on how they are written.
    texts = [f.name for f in schema if pa.types.is_timestamp(f.type) or pa.types.is_string(f.type)]
    if not texts:
        return schema
    spelt = _typed(data, dict.fromkeys(texts, pa.string()))
    types = {column: _time_type(spelt.column(column)) for column in texts}
    return pa.schema([pa.field(f.name, types.get(f.name, f.type)) for f in schema])


def _refuse_long_integers(found: pa.Table, data: bytes, name: str) -> None:
    """The parser can take a number for no text, and a float would lose its last digits."""
    columns = long_integers(found, lambda names: _as_written(data, names))
    if columns:
        hint = "write them as texts; or, if they mean floats, with a fraction or an exponent"
        where = Where(file=name, key=columns[0])
        got = f"whole numbers of more than 64 bits in {len(columns)} columns"
        raise ColumnError("the numbers of a column fit no type", got, "", hint, where)


def _as_written(data: bytes, columns: list[str]) -> pa.Table:
    rows = [
        loads(line, parse_int=str, parse_float=str, parse_constant=str)
        for line in data.splitlines()
        if line.strip()
    ]
    return pa.table({c: pa.array([row.get(c) for row in rows], pa.string()) for c in columns})


def _typed(data: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    return _parsed(data, pa.schema(list(types.items())), "ignore")


def _parsed(data: bytes, schema: pa.Schema | None, unexpected: str) -> pa.Table:
    return json.read_json(
        pa.BufferReader(data),
        read_options=json.ReadOptions(
            use_threads=False, block_size=max(_BLOCK_BYTES, min(len(data), 2**30))
        ),
        parse_options=json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior=unexpected
        ),
    )


def _corrected(
    data: bytes,
    types: dict[str, pa.DataType],
    schema: Schema,
    place: Place,
    name: str,
    error: Exception,
) -> dict[str, pa.DataType]:
    """The types as the file shows them for the columns that do not have the wanted ones.

    Raises:
        ColumnError: The file shows the wanted type, so that a value of it is wrong.
    """
    shown = read_members(place, name)
    found = dict(types)
    for column, wanted in types.items():
        try:
            _typed(data, {column: wanted})
        except pa.ArrowInvalid as misfit:
            own = shown.field(column).type if column in shown.names else wanted
            if logical_type(own) in {None, schema[column]}:
                raise _misfit(name, column, schema, misfit) from None
            found[column] = _parsed_type(logical_type(own) or "string")
    if found == types:
        raise error
    return found


def _with_times(table: pa.Table, schema: Schema, name: str) -> pa.Table:
    for at, column in enumerate(table.column_names):
        cells = table.column(at)
        if schema[column] in _SPELT and pa.types.is_string(cells.type):
            wanted = pa.date32() if schema[column] == "date" else _timestamp(cells)
            try:
                table = table.set_column(at, column, cells.cast(wanted))
            except pa.ArrowInvalid as error:
                raise _misfit(name, column, schema, error) from None
    return table


def _time_type(texts: pa.ChunkedArray) -> pa.DataType:
    """What text means if all of it means the same."""
    if texts.null_count == len(texts):
        return pa.string()
    for wanted in (pa.date32(), _timestamp(texts)):
        try:
            texts.cast(wanted)
        except pa.ArrowInvalid:
            continue
        return wanted
    return pa.string()


def _timestamp(texts: pa.ChunkedArray) -> pa.DataType:
    """With a zone where the first value has one."""
    present = texts.drop_null()
    has_zone = len(present) and pc.match_substring_regex(present[0], _ZONE).as_py()
    return pa.timestamp("us", "UTC") if has_zone else pa.timestamp("us")


def _whole_lines(data: bytes, name: str) -> bytes:
    end = data.rfind(b"\n") + 1
    if len(data) < _BLOCK_BYTES:
        end = len(data)
    elif not end:
        where = Where(file=name)
        raise SourceError("a line is too long", f"over {_BLOCK_BYTES} bytes", where=where)
    data[:end].decode("utf-8")
    if data.startswith(BOM_UTF8):
        what, hint = "the JSON lines begin with a byte order mark", "write UTF-8 without one"
        raise SourceError(what, hint=hint, where=Where(file=name))
    return data[:end]


def _misfit(name: str, column: str, schema: Schema, error: Exception) -> ColumnError:
    return ColumnError(
        "a value does not fit its column's type",
        arrow_words(error),
        f"{schema[column]}, as in the first file's first rows",
        f"write the column with one type, or declare 'data.columns.{column}.cast'",
        Where(file=name, key=column),
    )


def _unreadable(name: str, error: Exception) -> Exception:
    if isinstance(error, MlopsRayError):  # Such as a bucket that does not answer.
        return error
    where = Where(file=name)
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        return SourceError("the JSON lines are not UTF-8 text", hint="write UTF-8", where=where)
    first_line = arrow_words(error)
    column = _COLUMN.search(first_line)
    hint = "wanted is one JSON object a line, with one type a member"
    where = Where(file=name, key=column[1] if column else "")
    return SourceError("cannot read the JSON lines", first_line, "", hint, where)
