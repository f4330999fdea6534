"""Logical column types: what a column means, whatever file format and width hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa

from mlops_ray.data.cast import can_cast
from mlops_ray.data.extension_guard import check_schema
from mlops_ray.data.type_names import LogicalType, type_name
from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARROW_TYPES",
    "LogicalType",
    "Schema",
    "kind_of",
    "logical_type",
    "schema_of",
    "untyped_columns",
]

Schema: TypeAlias = dict[str, LogicalType]

# What `read_unit` hands on of the types that features are made of; all others come as the files
# hold them. Strings stay dictionary-encoded: hashing and counting then cost one step a distinct
# value.
ARROW_TYPES: Final[dict[LogicalType, pa.DataType]] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.dictionary(pa.int32(), pa.string()),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


def logical_type(arrow_type: pa.DataType) -> LogicalType | None:
    """The meaning of an Arrow type; None for the null type, which fits any.

    Raises:
        TypeError: It is an extension, a union or an interval, or two members have one name.

    Example:
        >>> logical_type(pa.dictionary(pa.int8(), pa.large_string()))
        'string'
    """
    return None if pa.types.is_null(arrow_type) else type_name(arrow_type)


def kind_of(arrow_type: pa.DataType) -> str:
    """What a column can be cast from: its logical type, or an unsupported type's own name."""
    try:
        return type_name(arrow_type)
    except TypeError:
        return str(arrow_type)


def schema_of(
    schemas: list[tuple[str, pa.Schema]], casts: Mapping[str, LogicalType] | None = None
) -> Schema:
    """The one schema that all files share, in the column order of the first.

    A column without a type in any file, since it shows no value, is taken for text.

    Args:
        schemas: Name and Arrow schema of each file, in file order.
        casts: Columns that are to be read as another type, whatever the files hold.

    Raises:
        SourceError: A type is unsupported, a name stands twice, or two files disagree.
    """
    first_name, first = schemas[0]
    casts = casts or {}
    merged = _meanings(first_name, first, casts)
    found_in = dict.fromkeys(merged, first_name)
    for name, schema in schemas[1:]:
        for column, meaning in _same_columns(name, schema, first_name, merged, casts).items():
            if merged[column] is None and meaning is not None:
                merged[column], found_in[column] = meaning, name
            elif meaning not in {None, merged[column]}:
                raise SourceError(
                    "files disagree on a column's type",
                    f"{meaning} in {name}",
                    f"{merged[column]} as in {found_in[column]}",
                    f"write it with one type, or declare 'data.columns.{column}.cast'",
                    Where(file=name, key=column),
                )
    return {column: meaning or "string" for column, meaning in merged.items()}


def untyped_columns(schemas: list[tuple[str, pa.Schema]]) -> list[str]:
    """The columns that `schema_of` takes for text only because no file shows a value of them.

    Example:
        >>> untyped_columns([("a.csv", pa.schema({"x": pa.null(), "y": pa.string()}))])
        ['x']
    """
    return [
        column
        for column in schemas[0][1].names
        if all(pa.types.is_null(schema.field(column).type) for _, schema in schemas)
    ]


def _meanings(
    file: str, schema: pa.Schema, casts: Mapping[str, LogicalType]
) -> dict[str, LogicalType | None]:
    check_schema(schema, file)
    meanings: dict[str, LogicalType | None] = {}
    for field in schema:
        if field.name in meanings:
            where = Where(file=file, key=field.name)
            raise SourceError("two columns have one name", repr(field.name), where=where)
        meanings[field.name] = _meaning(field, file, casts.get(field.name))
    return meanings


def _meaning(field: pa.Field, file: str, cast: LogicalType | None) -> LogicalType | None:
    where = Where(file=file, key=field.name)
    if cast is not None:
        if pa.types.is_null(field.type) or can_cast(kind_of(field.type), cast):
            return cast
        hint = "declare another cast, or write the column anew"
        raise SourceError("the declared cast means nothing", str(field.type), cast, hint, where)
    try:
        return logical_type(field.type)
    except TypeError as error:
        wanted = "numbers, texts, bytes, booleans, times, or lists, structs and maps of them"
        hint = "write it as another type, or leave it out of the files"
        raise SourceError(
            "the column's type is not supported", str(error), wanted, hint, where
        ) from error


def _same_columns(
    name: str,
    schema: pa.Schema,
    first_name: str,
    first: dict[str, LogicalType | None],
    casts: Mapping[str, LogicalType],
) -> dict[str, LogicalType | None]:
    meanings = _meanings(name, schema, casts)
    for column in [*first, *meanings]:
        if column not in meanings or column not in first:
            has, lacks = (first_name, name) if column in first else (name, first_name)
            raise SourceError(
                "files disagree on their columns",
                f"no such column in {lacks}",
                f"column {column!r} as in {has}",
                "write the same columns to all files",
                Where(file=lacks, key=column),
            )
    return meanings
