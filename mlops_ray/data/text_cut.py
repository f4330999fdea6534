"""Cuts a large text file into ranges of whole rows, so that each can be read alone.

The end of a row is a newline outside of quotes: one before which an even number of quotes stands,
since a quote inside of a quoted cell is written twice. Where the cuts fall has no effect on any
result, only on how much is held in memory.

Source: RFC 4180, section 2 (quotes in CSV).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np

from mlops_ray.data.place import is_gzip, open_place, read_range

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_ray.data.place import Place
    from mlops_ray.data.source import FoundFile

__all__ = ["Span", "cut_rows", "read_rows", "text_stream"]

Span = tuple[int, int]
_CUT_BYTES: Final = 32 * 2**20
_QUOTE, _NEWLINE = ord('"'), ord("\n")


def cut_rows(file: FoundFile, cut_bytes: int = _CUT_BYTES) -> list[Span | None]:
    """Ranges of bytes that hold whole rows, in order; None for the whole file.

    A small file is not cut, nor is one packed by gzip, which can only be read from its start.

    Raises:
        OSError: It cannot be read.
    """
    if file.size_bytes <= cut_bytes or is_gzip(file.path):
        return [None]
    return list(_cuts(file, cut_bytes))


@functools.lru_cache(maxsize=1024)  # A file with its digest is always cut in the same way.
def _cuts(file: FoundFile, cut_bytes: int) -> tuple[Span, ...]:
    starts, n_quotes, at = [0], 0, 0
    with open_place(file.path) as stream:
        while data := stream.read(cut_bytes):
            piece = np.frombuffer(data, dtype=np.uint8)
            if at:
                start = _first_row(piece, n_quotes, file.format == "csv")
                starts += [] if start is None else [at + start]
            n_quotes += int(np.count_nonzero(piece == _QUOTE)) if file.format == "csv" else 0
            at += len(data)
    starts = [start for start in starts if start < at] or [0]
    return tuple(zip(starts, [*starts[1:], at], strict=True))


def _first_row(piece: np.ndarray, n_quotes: int, has_quotes: bool) -> int | None:
    """Where the first row begins that begins in a piece; None where none does."""
    ends = np.flatnonzero(piece == _NEWLINE)
    if has_quotes and len(ends):
        before = n_quotes + np.cumsum(piece == _QUOTE)[ends]
        ends = ends[before % 2 == 0]
    return int(ends[0]) + 1 if len(ends) else None


def text_stream(place: Place) -> pa.NativeFile:
    """A text file from its start, unpacked where it is packed."""
    import pyarrow as pa  # noqa: PLC0415 - above for its types alone

    stream = open_place(place)
    return pa.CompressedInputStream(stream, "gzip") if is_gzip(place) else stream


def read_rows(place: Place, span: Span | None, *, has_header: bool) -> bytes:
    """The bytes of a range of rows, with the file's header line before them if it has one."""
    if span is None:
        return read_range(place)
    data = read_range(place, *span)
    return _header_line(place) + data if has_header and span[0] else data


def _header_line(place: Place) -> bytes:
    size = 2**16
    while True:
        data = read_range(place, 0, size)
        end = _first_row(np.frombuffer(data, dtype=np.uint8), 0, has_quotes=True)
        if end is not None or len(data) < size:
            return data[:end]
        size *= 2
