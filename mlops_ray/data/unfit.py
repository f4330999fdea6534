"""The error of a column with values that its canonical type does not hold, and the way out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.cast import cast_targets
from mlops_ray.data.type_names import storage_type
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from mlops_ray.data.schema import LogicalType

__all__ = ["declared_cast", "unfit"]

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def declared_cast(name: str, target: LogicalType) -> str:
    """What to write into a pipeline file for a column to be cast.

    Example:
        >>> declared_cast("seen", "string"), declared_cast("no", "string")
        ('data: {columns: {seen: {cast: string}}}', 'data: {columns: {"no": {cast: string}}}')
    """
    is_plain = _PLAIN.fullmatch(name) and name.lower() not in _YAML_WORDS
    named = name if is_plain else json.dumps(name, ensure_ascii=False)
    return f"data: {{columns: {{{named}: {{cast: {target}}}}}}}"


def unfit(stored: pa.DataType, dtype: LogicalType, where: Where, error: Exception) -> ColumnError:
    """The error of values that do not fit.

    Args:
        stored: Type of the column in the file.
        dtype: Its logical type.
        where: File and column.
        error: What Arrow said.
    """
    wanted = f"{dtype} ({storage_type(dtype)})"
    way, got = "write the column with a type that holds its values", arrow_words(error)
    if pa.types.is_timestamp(stored) and stored.unit == "ns":
        way, got = "round the column to microseconds", f"times finer than microseconds ({stored})"
    elif pa.types.is_uint64(stored):
        got = f"integers from 2^63 on ({stored})"
    if "string" in cast_targets(dtype):
        way += f"; or keep every digit, as text: {declared_cast(where.key, 'string')}"
    return ColumnError("a value does not fit its column's type", got, wanted, way, where)
