"""The target column as numbers: class index, or value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mlops_ray.data.arrays import to_codes, to_integers, to_numbers
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import Schema

__all__ = ["Target", "target_values"]

Target: TypeAlias = "NDArray[np.int32] | NDArray[np.float64]"


def target_values(
    column: pa.ChunkedArray, schema: Schema, name: str, labels: tuple[Value, ...] | None
) -> Target:
    """A target column as class indices, or as values where there are no classes.

    Raises:
        ColumnError: A row has no target or a class that is none of the labels.
    """
    if labels is None:
        return to_numbers(column)
    if schema[name] == "string":
        codes, values = to_codes(column, name)
        known = {label: at for at, label in enumerate(labels)}
        positions = np.array([*(known.get(value, -1) for value in values), -1], dtype=np.int32)
        found = positions[codes]
    else:
        classes = np.array([int(label) for label in labels], dtype=np.int64)
        integers = to_integers(column)
        at = np.minimum(np.searchsorted(classes, integers), len(classes) - 1)
        found = np.where(classes[at] == integers, at, -1).astype(np.int32)
        found[column.is_null().to_numpy()] = -1
    if (found < 0).any():
        got = f"{int((found < 0).sum())} such rows"
        where = Where(key=name)
        raise ColumnError("the target holds nulls or unknown classes", got, "none", "", where)
    return found
