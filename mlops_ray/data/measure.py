"""Measuring a column: from an Arrow column to its statistics, for several groups of rows at once.

A column is decoded once, whatever the number of groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlops_ray.data.arrays import null_mask, to_codes, to_integers, to_numbers, to_ticks
from mlops_ray.data.column_profile import CategoryProfile, NumberProfile, TimeProfile
from mlops_ray.data.counts import ValueCounts
from mlops_ray.data.exact import LIMIT, ExactSum
from mlops_ray.data.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.arrays import Column
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.schema import LogicalType

    Rows = NDArray[np.intp]

__all__ = ["measure_column"]


def measure_column(
    column: Column, dtype: LogicalType, groups: Sequence[Rows], name: str = ""
) -> list[ColumnProfile]:
    """Statistics of a column for each group of rows.

    Args:
        column: In its canonical Arrow type.
        dtype: Its logical type.
        groups: Row numbers of each group.
        name: The column's name, for messages.

    Example:
        >>> import pyarrow as pa
        >>> (profile,) = measure_column(pa.array([1.0, None, 3.0]), "float", [np.arange(3)])
        >>> profile.n_null, profile.sums.mean
        (1, 2.0)
    """
    if dtype == "string":
        codes, values = to_codes(column, name)
        return [_strings(codes[rows], values) for rows in groups]
    nulls = null_mask(column)
    if dtype == "boolean":
        flags = to_integers(column)
        return [_booleans(flags[rows], nulls[rows]) for rows in groups]
    if dtype in {"timestamp", "date"}:
        ticks = to_ticks(column)
        return [_times(ticks[rows], nulls[rows], dtype) for rows in groups]
    numbers = to_numbers(column)
    whole = to_integers(column) if dtype == "integer" else None
    return [
        _numbers(numbers[rows], None if whole is None else whole[rows][~nulls[rows]])
        for rows in groups
    ]


def _numbers(values: NDArray[np.float64], whole: NDArray[np.int64] | None) -> NumberProfile:
    present = values[~np.isnan(values)]
    kept = present[np.abs(present) < LIMIT]
    overflow = ValueCounts({}, is_overflow=True)
    return NumberProfile(
        dtype="float" if whole is None else "integer",
        n_rows=values.size,
        n_null=values.size - present.size,
        n_extreme=present.size - kept.size,
        minimum=float(kept.min()) if kept.size else None,
        maximum=float(kept.max()) if kept.size else None,
        sums=ExactSum.of(kept),
        histogram=Histogram.of(kept),
        counts=overflow if whole is None else ValueCounts.of_integers(whole),
    )


def _strings(codes: NDArray[np.int32], values: list[str]) -> CategoryProfile:
    n_null = int(np.count_nonzero(codes < 0))
    return CategoryProfile("string", codes.size, n_null, ValueCounts.of_codes(codes, values))


def _booleans(flags: NDArray[np.int64], nulls: NDArray[np.bool_]) -> CategoryProfile:
    n_null = int(nulls.sum())
    n_true = int(flags[~nulls].sum())
    counts = ValueCounts.of({False: flags.size - n_null - n_true, True: n_true})
    return CategoryProfile("boolean", flags.size, n_null, counts)


def _times(ticks: NDArray[np.int64], nulls: NDArray[np.bool_], dtype: LogicalType) -> TimeProfile:
    kept = ticks[~nulls]
    bounds = (int(kept.min()), int(kept.max())) if kept.size else (None, None)
    return TimeProfile(dtype, ticks.size, int(nulls.sum()), *bounds)
