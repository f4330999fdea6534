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

from mlops_ray.data.parquet_file import read_footer
from mlops_ray.data.text_cut import cut_rows
from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mlops_ray.data.place import Place
    from mlops_ray.data.source import FileFormat, FoundFile
    from mlops_ray.data.text_cut import Span

__all__ = ["Unit", "each_file", "list_units"]

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
    pieces = [piece for found in each_file(ordered, _pieces) for piece in found]
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


def each_file(files: Sequence[FoundFile], fn: Callable[[FoundFile], T]) -> list[T]:
    """Of every file in order; what a bucket answers is waited for many at a time."""
    if not files or isinstance(files[0].path, Path):
        return [fn(file) for file in files]
    with ThreadPoolExecutor(_REQUESTS) as pool:
        return list(pool.map(fn, files))
