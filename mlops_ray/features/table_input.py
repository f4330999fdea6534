"""Decoding Arrow tables into the blocks that the kernels work on."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.arrays import null_mask, to_codes, to_integers, to_numbers
from mlops_ray.data.schema import LogicalType, logical_type
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.kernels import Blocks
from mlops_ray.features.state import CategoryInput, NumberInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.state import FeatureInput

__all__ = ["blocks_of_table"]

# Number types that may stand for one another; whether floats are whole is checked by value.
_ACCEPTED: Final[dict[LogicalType, frozenset[LogicalType]]] = {
    "float": frozenset({"float", "integer"}),
    "integer": frozenset({"integer", "float"}),
}


def blocks_of_table(inputs: Sequence[FeatureInput], table: pa.Table) -> Blocks:
    """Blocks of a table; columns that are no inputs are passed over.

    Raises:
        ColumnError: An input column is absent, of another type, or not whole where it should be.
    """
    numbers, codes = [], []
    for item in inputs:
        column = _column(item, table)
        if isinstance(item, NumberInput):
            numbers.append(_numbers(item, column))
        else:
            codes.append(_codes(item, column))
    n_rows = table.num_rows
    return Blocks(
        np.array(numbers, dtype=np.float64).reshape(len(numbers), n_rows),
        np.array(codes, dtype=np.int32).reshape(len(codes), n_rows),
    )


def _column(item: FeatureInput, table: pa.Table) -> pa.ChunkedArray:
    where = Where(key=item.column)
    if item.column not in table.column_names:
        near = get_close_matches(item.column, table.column_names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "the model was trained with this column"
        others = f"{len(table.column_names)} other columns"
        raise ColumnError("no such column in the table", others, item.dtype, hint, where)
    column = table.column(item.column)
    try:
        found = logical_type(column.type)
    except TypeError as error:
        raise ColumnError("wrong type of column", str(error), item.dtype, where=where) from error
    if found is not None and found not in _ACCEPTED.get(item.dtype, {item.dtype}):
        raise ColumnError("wrong type of column", found, item.dtype, where=where)
    if found is None:
        return column.cast(pa.string() if item.dtype == "string" else pa.float64())
    if item.dtype != "string" and pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _numbers(item: FeatureInput, column: pa.ChunkedArray) -> NDArray[np.float64]:
    values = to_numbers(column)
    if item.dtype == "integer" and pa.types.is_floating(column.type):
        odd = np.flatnonzero(np.isfinite(values) & (values != np.floor(values)))
        if odd.size:
            got = f"{values[odd[0]]!r} in row {odd[0]}"
            where = Where(key=item.column)
            raise ColumnError("a value is not whole", got, "integers", where=where)
    return values


def _codes(item: CategoryInput, column: pa.ChunkedArray) -> NDArray[np.int32]:
    if item.dtype == "string":
        codes, texts = to_codes(column, item.column)
        position = {category: at for at, category in enumerate(item.categories)}
        known = [position.get(text, -1) for text in texts]
        return np.array([*known, -1], dtype=np.int32)[codes]
    numbers = _numbers(item, column)
    missing = np.isnan(numbers) | null_mask(column)
    if pa.types.is_floating(column.type):
        missing |= np.abs(numbers) >= 2.0**63
        values = np.where(missing, 0.0, numbers).astype(np.int64)
    else:
        values = to_integers(column)  # Not by way of float64: categories may exceed 2^53.
    return np.where(missing, np.int32(-1), _positions(values, item))


def _positions(values: NDArray[np.int64], item: CategoryInput) -> NDArray[np.int32]:
    categories = np.array([int(category) for category in item.categories], dtype=np.int64)
    at = np.minimum(np.searchsorted(categories, values), len(categories) - 1)
    return np.where(categories[at] == values, at, -1).astype(np.int32)
