"""The rows of one unit: parted, transformed and packed, as the work of one task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.arrays import to_numbers
from mlops_ray.data.contract_pass import read_kept
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.split import SPLITS, SplitName, SplitRows, assign_split
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.folds import NO_FOLDS, Folds, fold_hashes
from mlops_ray.features.row_units import RowUnits, unit_column
from mlops_ray.features.target import target_values

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from mlops_ray.data.counts import Value
    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.compiled import CompiledTransform

__all__ = [
    "MatrixPlan",
    "features_of_rows",
    "matrix_of_unit",
    "order_name",
    "sparse_features_of_rows",
]

_TRAIN: Final = SPLITS.index("train")


@dataclass(frozen=True, slots=True)
class MatrixPlan:
    """What the matrices are made of.

    Attributes:
        schema: Of the data.
        transform: The fitted features, compiled once a process.
        split: What decides a row's part.
        target: Target column.
        labels: The ordered classes; None for regression.
        order_by: Columns that give the rows' order; without them it is that of the input.
        parts: Parts to emit.
        folds: What decides a training row's fold, for features that leave it out.
        check: The contract, whose rules may set rows aside.
        weight: Column of the rows' weights; None where they count the same.
        units: What tells which rows have to stay together, or come first; None where nobody asks.
    """

    schema: Schema
    transform: CompiledTransform
    split: SplitRows
    target: str
    labels: tuple[Value, ...] | None
    order_by: tuple[str, ...]
    parts: tuple[SplitName, ...]
    folds: Folds = NO_FOLDS
    check: CheckPlan | None = None
    weight: str | None = None
    units: RowUnits | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        used = [*self.transform.state.inputs, self.target, *self.split.columns, *self.order_by]
        used += [] if self.weight is None else [self.weight]
        units = () if self.units is None else self.units.columns
        return list(dict.fromkeys([*used, *self.folds.columns, *units]))


def matrix_of_unit(plan: MatrixPlan, unit: Unit) -> bytes:
    """The rows of one unit that belong to the wanted parts, as an Arrow IPC stream.

    Raises:
        ColumnError: A column cannot be used; see the contract.
    """
    table = read_kept(unit, plan.schema, plan.columns, plan.check)
    codes = assign_split(table, plan.schema, plan.split)
    rows = np.flatnonzero(np.isin(codes, [SPLITS.index(part) for part in plan.parts]))
    if len(rows) < table.num_rows:
        table, codes = table.take(rows), codes[rows]
    matrix = features_of_rows(plan.transform, table, codes, plan.schema, plan.folds)
    hashes = hash_rows(table, plan.schema, plan.columns)
    columns: dict[str, Any] = {
        "part": codes,
        "y": target_values(table.column(plan.target), plan.schema, plan.target, plan.labels),
        "x": _packed(matrix),
        "hash": _packed(hashes.T.copy()),
    }
    if plan.weight is not None:
        columns["weight"] = to_numbers(table.column(plan.weight))
    if plan.units is not None:
        columns["unit"] = unit_column(table, plan.schema, plan.units)
    for at, name in enumerate(plan.order_by):
        columns[order_name(at)] = _order_values(table.column(name), name)
    return _ipc(pa.table(columns))


def features_of_rows(
    transform: CompiledTransform,
    table: pa.Table,
    codes: NDArray[np.int8],
    schema: Schema,
    folds: Folds,
) -> NDArray[np.float32]:
    """Features of rows of any parts; of training rows without what their own fold says.

    Args:
        transform: The fitted features.
        table: The rows.
        codes: The part of each row, from `assign_split`.
        schema: Of the data.
        folds: What decides a training row's fold.
    """
    matrix = transform.from_table(table)
    train = np.flatnonzero(codes == _TRAIN)
    if transform.has_folds and train.size:
        rows = table.take(train)
        matrix[train] = transform.from_table(rows, fold_hashes(rows, schema, folds))
    return matrix


def sparse_features_of_rows(
    transform: CompiledTransform,
    table: pa.Table,
    codes: NDArray[np.int8],
    schema: Schema,
    folds: Folds,
) -> csr_array:
    """The matrix of `features_of_rows` without its zeros, and without ever making it."""
    train = codes == _TRAIN
    if not (transform.has_folds and train.any()):
        return transform.csr_from_table(table)
    from scipy.sparse import vstack  # noqa: PLC0415 - dense matrices need no scipy

    order = np.concatenate([np.flatnonzero(train), np.flatnonzero(~train)])
    n_train = int(train.sum())
    rows = table.take(order)
    learned = rows.slice(0, n_train)
    parts = [
        transform.csr_from_table(learned, fold_hashes(learned, schema, folds)),
        transform.csr_from_table(rows.slice(n_train)),
    ]
    matrix: csr_array = vstack(parts, format="csr")[np.argsort(order)]
    return matrix


def order_name(at: int) -> str:
    """Name, in the answer of `matrix_of_unit`, of a column of `order_by`."""
    return f"order_{at}"


def _order_values(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    missing = column.null_count
    if pa.types.is_floating(column.type):
        missing = int(np.isnan(to_numbers(column)).sum())
    if missing:
        got = f"{missing} nulls"
        hint = "drop these rows or order by another column"
        what = "a column of 'order_by' has rows without a value"
        raise ColumnError(what, got, "none", hint, Where(key=name))
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _packed(rows: NDArray[Any]) -> pa.Array:
    """A C-contiguous matrix as one binary value a row, without a copy."""
    width = pa.binary(rows.shape[1] * rows.itemsize)
    return pa.Array.from_buffers(width, len(rows), [None, pa.py_buffer(rows)])


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
