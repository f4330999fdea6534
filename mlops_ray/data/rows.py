"""Rows that lie in no file: tables, data frames and Ray Datasets, as batches in order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_ray.errors import ColumnError, ConfigError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Rows", "kind_of_table", "rows_of"]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table that is read once, from its first row to its last.

    Attributes:
        schema: Of all batches.
        batches: The rows in order.
    """

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


def kind_of_table(table: object) -> str:
    """What a table is, for records and messages, such as ``pandas.DataFrame``."""
    kind = type(table)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def rows_of(table: object) -> Rows:
    """The rows of a pyarrow Table, a pandas DataFrame or a Ray Dataset.

    Raises:
        ConfigError: It is something else.
        SourceError: A data frame has an index that would be lost.
        ColumnError: A data frame's column mixes types.
    """
    kind = kind_of_table(table)
    if isinstance(table, pa.Table):
        return Rows(table.schema, table.to_batches())
    if kind == "pandas.DataFrame":
        return _of_frame(table)
    if kind.startswith("ray.") and hasattr(table, "iter_batches"):
        return _of_dataset(table)
    wanted = "a pandas DataFrame, a pyarrow Table or a Ray Dataset"
    raise ConfigError("'data' is no table", kind, wanted)


def _of_frame(frame: Any) -> Rows:  # noqa: ANN401 - a DataFrame, whose library is not imported here
    if type(frame.index).__name__ != "RangeIndex":
        raise SourceError(
            "the data frame's index would be lost",
            f"a {type(frame.index).__name__}",
            "rows numbered from 0",
            "make it a column with reset_index(), or leave it out with reset_index(drop=True)",
        )
    for name in frame.columns:
        if not isinstance(name, str):
            raise SourceError("a column's name is no text", repr(name))
    columns: list[pa.ChunkedArray] = []
    for at, name in enumerate(frame.columns):  # By place: a name may stand twice.
        try:
            part = pa.Table.from_pandas(frame.iloc[:, [at]], preserve_index=False)
        except (pa.ArrowException, TypeError) as error:
            raise ColumnError(
                "the data frame's column has no one type",
                str(frame.dtypes.iloc[at]),
                hint="cast it with astype()",
                where=Where(key=name),
            ) from error
        columns.append(part.column(0))
    table = pa.table(columns, names=list(frame.columns))
    return Rows(table.schema, table.to_batches())


def _of_dataset(dataset: Any) -> Rows:  # noqa: ANN401 - a Ray Dataset
    # Blocks come in order of completion otherwise.
    dataset.context.execution_options.preserve_order = True
    tables = iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow"))
    first = next(tables, None)
    if first is None:
        raise SourceError("the Ray Dataset holds no rows", "0 blocks", "at least 1")
    return Rows(first.schema, _batches(first.schema, chain([first], tables)))


def _batches(schema: pa.Schema, tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
    for table in tables:
        if table.schema.names != schema.names:
            raise SourceError("blocks of the Ray Dataset disagree on their columns")
        for field, wanted in zip(table.schema, schema, strict=True):
            if field.type != wanted.type:
                raise ColumnError(
                    "blocks of the Ray Dataset disagree on a column's type",
                    str(field.type),
                    str(wanted.type),
                    "give the column one type in all blocks",
                    Where(key=field.name),
                )
        yield from table.to_batches()
