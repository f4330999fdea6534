"""Columns that only the names of folders hold, such as ``year=2018/month=7/part-0.parquet``.

Names and values are read as Spark and Hive write them: percent-encoded where they hold special
characters, ``__HIVE_DEFAULT_PARTITION__`` for null. A column whose values are all whole numbers is
an integer, so that ``month=07`` is 7; any other is text, unless a type is declared.

Source: Apache Hive, "LanguageManual DML" (dynamic partition inserts); Apache Spark,
``ExternalCatalogUtils.escapePathName``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import pyarrow as pa

from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.source import FoundFile

__all__ = ["partition_fields", "partition_values"]

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


def partition_values(name: str) -> dict[str, str | None]:
    """The columns in the folders of a file's name, outermost first.

    Example:
        >>> partition_values("city=San%20Jos%C3%A9/day=__HIVE_DEFAULT_PARTITION__/0.parquet")
        {'city': 'San José', 'day': None}
    """
    found: dict[str, str | None] = {}
    for part in name.split("/")[:-1]:
        column, sign, value = part.partition("=")
        if sign:
            found[unquote(column)] = None if value == _NULL else unquote(value)
    return found


def partition_fields(files: Sequence[FoundFile]) -> list[pa.Field]:
    """The columns that the files' names hold and their types, as the values show them.

    Raises:
        SourceError: The files' folders do not name the same columns.
    """
    first = partition_values(files[0].name)
    seen: dict[str, set[str]] = {column: set() for column in first}
    for file in files:
        values = partition_values(file.name)
        if list(values) != list(first):
            raise SourceError(
                "the folders' names hold other columns",
                ", ".join(values) or "none",
                f"{', '.join(first) or 'none'} as in {files[0].name}",
                "part all files by the same columns, or read them by a narrower path",
                Where(file=file.name),
            )
        for column, value in values.items():
            seen[column].update([] if value is None else [value])
    return [pa.field(column, _type_of(values)) for column, values in seen.items()]


def _type_of(values: set[str]) -> pa.DataType:
    if not values:
        return pa.null()
    return pa.int64() if all(map(_WHOLE.fullmatch, values)) else pa.string()
