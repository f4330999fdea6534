"""Refuses Parquet files with extension types before Arrow looks at them.

An Arrow schema in a Parquet footer may name extension types. As soon as such a file is opened,
Arrow hands the type's metadata to whoever registered the name in this process; some who do, such as
Ray Data and older Arrows, unpickle it, which runs code of the file's author. So the footer is
searched as raw bytes first. The schema is base64 there, which writes a text in one of three ways.

Source: Apache Arrow, "Arrow Columnar Format", Extension Types; RFC 4648, section 4.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_footer", "check_schema"]

_KEY: Final = b"ARROW:extension:name"
_RENAMED: Final = _KEY.lower()  # As long, and known to nobody.
_LEVELS: Final = 64  # Of lists and structs; the other code that walks through types recurses.
_TAIL_BYTES: Final = 8  # Length of the footer, then the magic number.
_ENCODED: Final = re.compile(rb"ARROW:schema.{1,16}?([A-Za-z0-9+/]{40,}={0,2})", re.DOTALL)


def check_footer(file: pa.NativeFile, name: str) -> None:
    """Refuse an open Parquet file whose footer names an extension type; nothing is deserialised.

    Args:
        file: Can be sought in; it is left at its start.
        name: Its name, for messages.

    Raises:
        SourceError: A column has an extension type; it is named.
    """
    footer = _footer(file)
    file.seek(0)
    if any(written in footer for written in _WRITTEN):
        for found in _ENCODED.finditer(footer):
            check_schema(_without_extensions(found[1]), name)
        raise _refused(name, "", "")  # It is there, however it was written.


def check_schema(schema: pa.Schema, name: str) -> None:
    """Refuse a schema with extension types, registered here or not, or with types without an end.

    Raises:
        SourceError: A column has an extension type, or lists inside of lists; it is named.
    """
    for field in schema:
        if _is_deep(field.type):
            what, got = "the column's type has too many levels", f"more than {_LEVELS}"
            raise SourceError(what, got, where=Where(file=name, key=field.name))
        found = _extension(field)
        if found:
            raise _refused(name, field.name, found)


def _footer(file: pa.NativeFile) -> bytes:
    size = file.size()
    file.seek(max(0, size - _TAIL_BYTES))
    length = int.from_bytes(file.read(4), "little")
    start = max(0, size - _TAIL_BYTES - length)
    file.seek(start)
    return bytes(file.read(size - start))


def _written() -> Iterator[bytes]:
    """What base64 makes of the key alone at each of the three places it can begin."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + _KEY)
        yield text[4 if before else 0 : (before + len(_KEY)) // 3 * 4]


_WRITTEN: Final = tuple(_written())


def _without_extensions(encoded: bytes) -> pa.Schema:
    """The Arrow schema, its extension types being nothing but their storage with a note."""
    try:
        data = base64.b64decode(encoded + b"==")
        return pa.ipc.read_schema(pa.py_buffer(data.replace(_KEY, _RENAMED)))
    except (ValueError, pa.ArrowException):
        return pa.schema([])


def _is_deep(arrow_type: pa.DataType, levels: int = _LEVELS) -> bool:
    inner = (arrow_type.field(at).type for at in range(arrow_type.num_fields))
    return not levels or any(_is_deep(child, levels - 1) for child in inner)


def _extension(field: pa.Field) -> str:
    """Name of the extension type of a field or of one inside of it; empty where there is none."""
    metadata = field.metadata or {}
    if isinstance(field.type, pa.BaseExtensionType):
        return str(field.type.extension_name)
    name = metadata.get(_KEY) or metadata.get(_RENAMED)
    if name:
        return str(name.decode("utf-8", "replace"))
    inner = (field.type.field(at) for at in range(field.type.num_fields))
    return next((found for child in inner if (found := _extension(child))), "")


def _refused(name: str, column: str, extension: str) -> SourceError:
    return SourceError(
        "the column has an extension type, which may run code when it is read",
        extension or "ARROW:extension:name in the footer",
        "integers, floats, strings, booleans, timestamps or dates",
        "write the column's plain values, or leave it out of the files",
        Where(file=name, key=column),
    )
