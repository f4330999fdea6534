"""Whether a Parquet file's pages have checksums, which a writer may leave out.

A page begins with a header in Thrift's compact protocol, whose fourth field is the checksum. A
writer gives all of its pages one or none, so the first page of every column is looked at in the
first and in the last row group.

Source: Apache Parquet, ``parquet.thrift``, struct PageHeader; Apache Thrift, "Compact protocol".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.data.extension_guard import check_footer
from mlops_ray.data.place import open_place
from mlops_ray.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.data.place import Place

__all__ = ["has_page_checksums"]

_NEXT_I32: Final = 0x15  # The next field, an i32.
_HEADER_BYTES: Final = 64
_BEFORE_CHECKSUM: Final = 3  # Page type, size, compressed size.


def has_page_checksums(place: Place) -> bool:
    """Whether every page that was looked at has a checksum.

    Not so for a file that has no pages or cannot be read: what is wrong with it, a reader tells.
    """
    try:
        with open_place(place) as source:
            check_footer(source, "")
            with pq.ParquetFile(source) as file:
                starts = list(_first_pages(file.metadata))
            return bool(starts) and all(_has_checksum(source, start) for start in starts)
    except (OSError, SourceError, pa.ArrowException):
        return False


def _first_pages(metadata: pq.FileMetaData) -> Iterator[int]:
    last = metadata.num_row_groups - 1
    for group in sorted({0, last} if last >= 0 else ()):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            first = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
            yield min(chunk.data_page_offset, first or chunk.data_page_offset)


def _has_checksum(source: pa.NativeFile, start: int) -> bool:
    source.seek(start)
    header = source.read(_HEADER_BYTES)
    at = 0
    for _ in range(_BEFORE_CHECKSUM):
        if header[at : at + 1] != bytes([_NEXT_I32]):
            return False
        at += 1
        while at < len(header) and header[at] & 0x80:
            at += 1
        at += 1
    return bool(header[at : at + 1] == bytes([_NEXT_I32]))
