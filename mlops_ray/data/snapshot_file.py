"""Snapshots: rows that lie in no file, written as one Parquet file in bounded memory.

Row groups have a fixed number of rows, whatever batches the rows came in, and every page has a
checksum. The same rows give the same bytes with the same version of Arrow, which the file names.
"""

from __future__ import annotations

from collections import Counter
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.extension_guard import check_schema
from mlops_ray.data.type_names import plain_type
from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.data.rows import Rows

__all__ = ["snapshot_schema", "write_snapshot"]

_GROUP_ROWS: Final = 2**17
_GROUP_CELLS: Final = 2**23  # So that a wide table does not need more memory than a narrow one.


def snapshot_schema(schema: pa.Schema) -> pa.Schema:
    """The columns as a snapshot holds them: plain text, and no notes of whoever made the table.

    Raises:
        SourceError: A column has an extension type, or two have one name.
    """
    check_schema(schema, "")
    for name, count in Counter(schema.names).items():
        if count > 1:
            raise SourceError("two columns have one name", repr(name), where=Where(key=name))
    return pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])


def write_snapshot(rows: Rows, sink: IO[bytes]) -> pa.Schema:
    """Write all rows; returns their schema in the file.

    Raises:
        SourceError: A column has a type that a Parquet file cannot hold.
    """
    schema = snapshot_schema(rows.schema)
    n_rows = max(1, min(_GROUP_ROWS, _GROUP_CELLS // max(1, len(schema))))
    try:
        with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in _groups(rows, schema, n_rows):
                writer.write_table(table, row_group_size=n_rows)
    except (pa.ArrowException, OverflowError) as error:
        if isinstance(error, OSError):
            raise
        raise SourceError("the rows cannot be written as Parquet", arrow_words(error)) from None
    return schema


def _groups(rows: Rows, schema: pa.Schema, n_rows: int) -> Iterator[pa.Table]:
    kept: list[pa.RecordBatch] = []
    n_kept = 0
    for batch in rows.batches:
        kept.append(batch)
        n_kept += batch.num_rows
        while n_kept >= n_rows:
            table = pa.Table.from_batches(kept)
            yield _written(table.slice(0, n_rows), schema)
            kept = table.slice(n_rows).to_batches()
            n_kept -= n_rows
    if n_kept:
        yield _written(pa.Table.from_batches(kept), schema)


def _written(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """In one piece, since pages are cut where pieces end."""
    columns = [column.cast(field.type) for column, field in zip(table.columns, schema, strict=True)]
    return pa.table(columns, schema=schema).combine_chunks()


def _plain(arrow_type: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(arrow_type) else plain_type(arrow_type)
