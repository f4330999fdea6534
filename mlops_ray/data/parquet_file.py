"""Parquet files: footers and row groups."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.extension_guard import check_footer
from mlops_ray.data.place import open_place
from mlops_ray.errors import MlopsRayError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.place import Place

__all__ = ["GroupSize", "count_rows", "read_footer", "read_row_group"]

# Parquet's own UUID and JSON come as the bytes and texts that they are.
_PLAIN: Final = {"arrow_extensions_enabled": False}
_DELTA: Final = frozenset({"DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"})
_TORN: Final = (OSError, UnicodeDecodeError, pa.ArrowException)  # Of text: the name of a column.


class GroupSize(NamedTuple):
    """Size of a row group, as the footer tells it.

    Attributes:
        n_rows: Its rows.
        n_bytes: Bytes of its columns, encoded but not compressed.
    """

    n_rows: int
    n_bytes: int


def read_footer(path: Place, name: str) -> tuple[pa.Schema, list[GroupSize]]:
    """Arrow schema and sizes of the row groups.

    Raises:
        SourceError: The file is absent, torn or no Parquet.
    """
    try:
        with _opened(path, name) as source, pq.ParquetFile(source, **_PLAIN) as file:
            footer = file.metadata
            groups = map(footer.row_group, range(footer.num_row_groups))
            sizes = [GroupSize(group.num_rows, group.total_byte_size) for group in groups]
            _check_rows(sum(size.n_rows for size in sizes), footer.num_rows, name)
            return file.schema_arrow, sizes
    except _TORN as error:
        raise _unreadable(name, error) from error


def count_rows(path: Place, name: str) -> int:
    """Number of rows that the footer tells of.

    Raises:
        SourceError: The file is absent, torn or no Parquet.
    """
    try:
        with _opened(path, name) as source, pq.ParquetFile(source, **_PLAIN) as file:
            return int(file.metadata.num_rows)
    except _TORN as error:
        raise _unreadable(name, error) from error


def read_row_group(
    path: Place,
    name: str,
    row_group: int,
    columns: Sequence[str],
    encoded: Sequence[str] = (),
) -> pa.Table:
    """One row group, its page checksums verified where the writer left any.

    Args:
        path: Where the file lies.
        name: Its name, for messages.
        row_group: Which one.
        columns: Columns wanted.
        encoded: Of these the ones of texts or bytes, which come dictionary-encoded where Arrow
            can do that.

    Raises:
        SourceError: The file is absent, torn or no Parquet.
    """
    try:
        with (
            _opened(path, name) as source,
            pq.ParquetFile(
                source,
                read_dictionary=list(encoded),
                page_checksum_verification=True,
                **_PLAIN,
            ) as file,
        ):
            _check_present(file, columns)
            plain = _without_dictionary(file.metadata.row_group(row_group), encoded)
            if plain:
                rest = [column for column in encoded if column not in plain]
                return read_row_group(path, name, row_group, columns, rest)
            table = file.read_row_group(row_group, columns=list(columns), use_threads=False)
            _check_rows(table.num_rows, file.metadata.row_group(row_group).num_rows, name)
            return table
    except KeyError as error:  # Also of Arrow, which knows the name as bytes.
        column = error.args[0]
        where = Where(file=name, key=column.decode() if isinstance(column, bytes) else column)
        hint = "the file is damaged, or was replaced since its columns were listed"
        raise SourceError("the Parquet file lacks a column", "", "", hint, where) from error
    except _TORN as error:
        raise _unreadable(name, error) from error


def _check_present(file: pq.ParquetFile, columns: Sequence[str]) -> None:
    there = Counter(file.schema_arrow.names)  # Asked for once: Arrow makes it anew each time.
    for column in columns:
        if there[column] != 1:
            raise KeyError(column)


def _without_dictionary(group: pq.RowGroupMetaData, columns: Sequence[str]) -> set[str]:
    """Columns in an encoding that Arrow turns into no dictionary, as other writers choose it."""
    wanted = set(columns)
    chunks = map(group.column, range(group.num_columns if wanted else 0))
    return {
        chunk.path_in_schema
        for chunk in chunks
        if chunk.path_in_schema in wanted and not _DELTA.isdisjoint(chunk.encodings)
    }


def _check_rows(found: int, wanted: int, name: str) -> None:
    """Refuse a footer that contradicts itself: it has no checksum, but counts rows several times.

    Raises:
        SourceError: The numbers differ.
    """
    if found != wanted:
        what, hint = "the Parquet file's counts of rows disagree", "the file is damaged"
        raise SourceError(what, f"{found} rows", str(wanted), hint, Where(file=name))


def _opened(path: Place, name: str) -> pa.NativeFile:
    """The file, open; refused where opening it by Arrow might run code of its author."""
    file = open_place(path)
    check_footer(file, name)
    return file


def _unreadable(name: str, error: Exception) -> Exception:
    if isinstance(error, MlopsRayError):  # Such as a bucket that does not answer.
        return error
    first_line = arrow_words(error)
    hint = "check that it was written completely"
    return SourceError("cannot read the Parquet file", first_line, "", hint, Where(file=name))
