"""Columns that decide about rows, and so need a value in each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlops_ray.data.arrays import null_mask, to_numbers
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["refuse_nulls"]


def refuse_nulls(column: pa.ChunkedArray, name: str, what: str, wanted: str) -> None:
    """Refuse a column with rows that have no value, NaN among them.

    Args:
        column: Its cells.
        name: Its name.
        what: What is wrong then.
        wanted: How many such rows may be, and why.

    Raises:
        ColumnError: There is such a row.
    """
    missing: NDArray[np.bool_] = null_mask(column)
    if pa.types.is_floating(column.type):
        missing |= np.isnan(to_numbers(column))
    if missing.any():
        raise ColumnError(
            what,
            f"{int(missing.sum())} nulls in {len(column)} rows",
            wanted,
            "drop these rows or declare another column",
            Where(key=name),
        )
