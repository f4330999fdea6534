"""Where a file's bytes can be read: a local path, or a key of an S3 bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    from mlops_ray.storage.s3_file import S3File

__all__ = ["Place", "is_gzip", "open_place", "read_range"]

Place: TypeAlias = "Path | S3File"
_GZIP: Final = b"\x1f\x8b"  # RFC 1952; no UTF-8 text begins with it.


def open_place(place: Place) -> pa.NativeFile:
    """The file's bytes, for whatever reads Arrow's files.

    Raises:
        OSError: It cannot be read.
        SourceError: It is an S3 key that was replaced since it was pinned.
    """
    if isinstance(place, Path):
        return pa.OSFile(str(place))
    return pa.PythonFile(place.open(), mode="r")


def read_range(place: Place, start: int = 0, stop: int | None = None) -> bytes:
    """Bytes of a file, unpacked if it is whole and packed by gzip.

    Args:
        place: The file.
        start: First byte.
        stop: The byte after the last one; to the end by default.
    """
    with open_place(place) as stream:
        stream.seek(start)
        data: Any = stream.read() if stop is None else stream.read(stop - start)
    whole = start == 0 and stop is None
    if whole and data.startswith(_GZIP):
        with pa.CompressedInputStream(pa.BufferReader(data), "gzip") as unpacked:
            return bytes(unpacked.read())
    return bytes(data)


def is_gzip(place: Place) -> bool:
    """Whether the file is packed by gzip, by its first bytes."""
    return read_range(place, 0, len(_GZIP)) == _GZIP
