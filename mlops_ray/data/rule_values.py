"""Bounds and values of a contract as the types of the columns that they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_ray.data.schema import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.expression import Constant
    from mlops_ray.data.schema import LogicalType

__all__ = ["as_bound", "as_members"]


def as_bound(bound: float | str, dtype: LogicalType) -> pa.Scalar | float | None:
    """A bound that values of the type can be compared with; None where there is none.

    Example:
        >>> as_bound("2018-01-01", "date")
        <pyarrow.Date32Scalar: datetime.date(2018, 1, 1)>
    """
    if dtype in {"integer", "float", "decimal"}:
        return _number(bound)
    if dtype in {"date", "timestamp"} and isinstance(bound, str):
        try:
            return pa.scalar(bound).cast(ARROW_TYPES[dtype])
        except pa.ArrowException:
            return None
    return None


def as_members(allowed: Sequence[Constant], dtype: LogicalType) -> pa.Array | None:
    """The values of a set as values of the type; None where one of them cannot be one."""
    if dtype not in ARROW_TYPES:
        return None
    wanted = pa.string() if dtype == "string" else ARROW_TYPES[dtype]
    if isinstance(allowed[0], bool) != (dtype == "boolean"):
        return None
    if dtype in {"integer", "float"}:
        numbers = [_number(value) for value in allowed]
        return None if None in numbers else _array(numbers, wanted)
    if not isinstance(allowed[0], bool | str):
        return None
    values = pa.array(allowed)
    try:
        return values.cast(wanted)
    except pa.ArrowException:
        return None


def _number(value: Constant) -> int | float | None:
    if not isinstance(value, str):
        return value
    # Canonical JSON, and so a spec that was read, holds a large integer as text.
    digits = value.removeprefix("-")
    return int(value) if len(digits) > 15 and digits.isascii() and digits.isdecimal() else None


def _array(numbers: Sequence[object], wanted: pa.DataType) -> pa.Array | None:
    try:
        return pa.array(numbers).cast(wanted)  # 1.0 is an integer, 1.5 is none.
    except (pa.ArrowException, OverflowError):
        return None
