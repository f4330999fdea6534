"""Whole profiles as bytes: every count that the pass made, for the stages that fit on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.column_profile import (
    CategoryProfile,
    NumberProfile,
    PresenceProfile,
    TimeProfile,
    column_profile_from_json,
)
from mlops_ray.data.counts import ValueCounts
from mlops_ray.data.histogram import Histogram
from mlops_ray.data.profile import Profile
from mlops_ray.data.time_histogram import TimeHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.schema import LogicalType

    Arrays = list[NDArray[Any]]

__all__ = ["profile_content", "profile_of_content"]

_STORED: Final = {"integer": "<i8", "float": "<f8", "decimal": "<f8", "boolean": "u1"}


def profile_content(profile: Profile) -> tuple[dict[str, Any], Arrays]:
    """A profile as a JSON value and arrays, for `data.packed.pack`."""
    arrays: Arrays = []
    columns = [
        {"name": name, **_column(column, arrays)} for name, column in profile.columns.items()
    ]
    return {"n_rows": profile.n_rows, "columns": columns}, arrays


def profile_of_content(content: dict[str, Any], arrays: Iterator[NDArray[Any]]) -> Profile:
    """The inverse of `profile_content`; takes its arrays off the front."""
    columns = {item["name"]: _read_column(item, arrays) for item in content["columns"]}
    return Profile(content["n_rows"], columns)


def _column(column: ColumnProfile, arrays: Arrays) -> dict[str, Any]:
    if isinstance(column, PresenceProfile):
        return column.to_json()
    if isinstance(column, TimeProfile):
        histogram = column.histogram or TimeHistogram()
        arrays += [histogram.bins, histogram.counts]
        return {**replace(column, histogram=None).to_json(), "level": histogram.level}
    if isinstance(column, NumberProfile):
        arrays += [column.histogram.buckets.astype(np.int32), column.histogram.counts]
    counts = column.counts
    if not counts.is_overflow:
        arrays += [counts.rows, *_value_arrays(counts)]
    return {**column.scalars(), "is_overflow": counts.is_overflow}


def _read_column(item: dict[str, Any], arrays: Iterator[NDArray[Any]]) -> ColumnProfile:
    if item["kind"] == "presence":
        return column_profile_from_json(item)
    if item["kind"] == "time":
        histogram = TimeHistogram(item["level"], next(arrays), next(arrays))
        return replace(TimeProfile.from_json(item), histogram=histogram)
    if item["kind"] == "category":
        return CategoryProfile.of_parts(item, _read_counts(item, arrays))
    buckets = Histogram(next(arrays).astype(np.int64), next(arrays))
    return NumberProfile.of_parts(item, buckets, _read_counts(item, arrays))


def _read_counts(item: dict[str, Any], arrays: Iterator[NDArray[Any]]) -> ValueCounts:
    dtype: LogicalType = item["dtype"]
    if item["is_overflow"]:
        return ValueCounts.none(dtype, is_overflow=True)
    rows = next(arrays)
    return ValueCounts(dtype, _read_values(dtype, arrays), rows)


def _value_arrays(counts: ValueCounts) -> Arrays:
    if counts.dtype != "string":
        values = counts.values.to_numpy(zero_copy_only=False)
        return [values.astype(_STORED[counts.dtype])]
    _, offsets, data = counts.values.buffers()
    if not len(counts.values):
        return [np.zeros(1, dtype=np.int32), np.zeros(0, dtype=np.uint8)]
    first = counts.values.offset
    ends = np.frombuffer(offsets, np.int32)[first : first + len(counts.values) + 1]
    text = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return [ends - ends[0], text[ends[0] : ends[-1]]]


def _read_values(dtype: LogicalType, arrays: Iterator[NDArray[Any]]) -> pa.Array:
    if dtype == "boolean":
        return pa.array(next(arrays).astype(np.bool_))
    if dtype != "string":
        return pa.array(next(arrays))
    ends, text = next(arrays), next(arrays)
    return pa.StringArray.from_buffers(ends.size - 1, pa.py_buffer(ends), pa.py_buffer(text))
