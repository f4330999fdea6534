"""Matrices: from the units of the data to the arrays that models are fitted to and scored on.

Each unit answers with its rows of the wanted parts, already transformed; `gather` puts them in
their final order. Rows of a part that is not asked for never leave the unit: the matrices of the
search hold no test row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.fingerprint import digest_ordered
from mlops_ray.data.rowhash import N_LANES
from mlops_ray.data.split import SPLITS, SplitName
from mlops_ray.errors import DataError, Where
from mlops_ray.features.row_units import unit_numbers
from mlops_ray.features.unit_rows import MatrixPlan, matrix_of_unit, order_name
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.target import Target

__all__ = ["Matrix", "MatrixPlan", "gather", "join", "matrix_of_unit"]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of one part in their final order.

    Attributes:
        X: Features, C-contiguous float32, shape ``(n_rows, n_features)``.
        y: Class index as int32, or value as float64, shape ``(n_rows,)``.
        membership: Ordered digest of the rows.
        weights: How much each row counts in a fit, float64; None where all count the same.
        units: Which rows have to stay together, or come first; None where nobody has asked, and
            never kept with the matrix.
    """

    X: NDArray[np.float32]
    y: Target
    membership: str
    weights: NDArray[np.float64] | None = None
    units: NDArray[np.uint64] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.X)

    def without_rows(self) -> Matrix:
        """The same columns, and no row."""
        return Matrix(self.X[:0], self.y[:0], "")

    def taken(self, rows: NDArray[np.intp]) -> Matrix:
        """Some of its rows, by position; they have no digest of their own."""
        weights = None if self.weights is None else self.weights[rows]
        return Matrix(self.X[rows], self.y[rows], "", weights)


def gather(plan: MatrixPlan, payloads: Sequence[bytes]) -> dict[SplitName, Matrix]:
    """The matrices of the wanted parts, rows in the order of `order_by`, or else of the input.

    Args:
        plan: The one that `matrix_of_unit` had.
        payloads: Its answers in unit order.

    Raises:
        DataError: Two rows of a part are equal in all columns of `order_by`.
    """
    tables = [pa.ipc.open_stream(payload).read_all() for payload in payloads]
    table = pa.concat_tables(tables, promote_options="permissive")  # Decimals of any scale.
    return {part: _matrix(plan, _sorted(plan, table, part)) for part in plan.parts}


def join(parts: Sequence[Matrix]) -> Matrix:
    """Matrices below one another, such as train and valid for the refit."""
    weights = [part.weights for part in parts if part.weights is not None]
    return Matrix(
        np.concatenate([part.X for part in parts]),
        np.concatenate([part.y for part in parts]),
        digest("\n".join(part.membership for part in parts).encode()),
        np.concatenate(weights) if weights else None,
    )


def _unpacked(column: pa.ChunkedArray, dtype: type[np.generic], width: int) -> NDArray[Any]:
    size = column.type.byte_width
    used = [
        chunk.buffers()[1].slice(chunk.offset * size, len(chunk) * size)
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.frombuffer(b"".join(used), dtype=dtype).reshape(-1, width)


def _sorted(plan: MatrixPlan, table: pa.Table, part: SplitName) -> pa.Table:
    rows = table.filter(pc.equal(table["part"], SPLITS.index(part)))
    if not plan.order_by:
        return rows
    names = [order_name(at) for at in range(len(plan.order_by))]
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in names])
    rows = rows.take(order)
    _refuse_ties(plan, rows.select(names), part)
    return rows


def _refuse_ties(plan: MatrixPlan, keys: pa.Table, part: SplitName) -> None:
    above, below = keys.slice(0, max(0, keys.num_rows - 1)), keys.slice(1)
    same = np.ones(below.num_rows, dtype=np.bool_)
    for name in keys.column_names:
        equal = pc.equal(above[name].combine_chunks(), below[name].combine_chunks())
        same &= equal.to_numpy(zero_copy_only=False)
    ties = np.flatnonzero(same)
    if ties.size:
        raise DataError(
            "'order_by' does not tell all rows apart",
            f"{ties.size} rows of {part} equal to another in {', '.join(plan.order_by)}",
            "one row for each value",
            "add a column to 'order_by', drop duplicates, or leave 'order_by' out",
            Where(key="data.order_by"),
        )


def _matrix(plan: MatrixPlan, rows: pa.Table) -> Matrix:
    hashes = _unpacked(rows["hash"], np.uint64, N_LANES)
    return Matrix(
        _unpacked(rows["x"], np.float32, len(plan.transform.state.outputs)),
        rows["y"].to_numpy(),
        digest_ordered(hashes.T),
        None if plan.weight is None else rows["weight"].to_numpy(),
        None if plan.units is None else unit_numbers(rows["unit"], plan.units),
    )
