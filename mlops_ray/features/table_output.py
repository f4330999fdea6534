"""Transformed rows on disk: one Parquet file a unit, read, transformed and written in one task.

No row travels between processes: a task answers with the name, size and digest of its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_ray.data.contract_pass import read_kept
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.folds import NO_FOLDS, Folds
from mlops_ray.features.state import first_double
from mlops_ray.features.unit_rows import features_of_rows, sparse_features_of_rows
from mlops_ray.manifest.canonical import canonical_bytes
from mlops_ray.storage import digest_file

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.compiled import CompiledTransform

__all__ = ["MAX_COLUMNS", "SPLIT_COLUMN", "TablePlan", "write_unit"]

SPLIT_COLUMN: Final = "split"
_SPARSE_COLUMNS: Final = ("indices", "values")
MAX_COLUMNS: Final = 10_000  # Of a Parquet file; what lies in them is written as a whole.
_PIECE_CELLS: Final = 2**22  # A row group each.
_PIECES_AT_ONCE: Final = 2  # Bounds what a task holds beside its unit.


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What is written.

    Attributes:
        schema: Of the data.
        transform: The fitted features, compiled once a process.
        split: What decides a row's part.
        folder: Where the files go; every worker can write there.
        folds: What decides a training row's fold, for features that leave it out.
        check: The contract, whose rules may set rows aside.
        is_sparse: Whether a row's features are written as places and values without the zeros.
    """

    schema: Schema
    transform: CompiledTransform
    split: SplitRows
    folder: Path
    folds: Folds = NO_FOLDS
    check: CheckPlan | None = None
    is_sparse: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        named = [*self.transform.state.inputs, *self.split.columns, *self.folds.columns]
        return list(dict.fromkeys(named))

    @property
    def names(self) -> list[str]:
        """The columns that are written: key, part, features.

        Raises:
            ColumnError: Two of them would have one name, or there are too many.
        """
        outputs = self.transform.state.outputs
        if not self.is_sparse and len(outputs) > MAX_COLUMNS:
            what, n = "a table cannot have a column for each feature", len(outputs)
            hint = "write it with `features build --sparse`, or make fewer indicators"
            raise ColumnError(what, f"{n} features", f"at most {MAX_COLUMNS}", hint)
        features = _SPARSE_COLUMNS if self.is_sparse else outputs
        names = [*self.split.key, SPLIT_COLUMN, *features]
        double = first_double(names)
        if double is not None:
            what = "a feature has the name of a key column or of the column 'split'"
            hint = "rename it in the data"
            raise ColumnError(what, repr(double), hint=hint, where=Where(key=double))
        return names


def write_unit(plan: TablePlan, unit: Unit) -> bytes:
    """Transform the rows of one unit and write them; says of the file what its manifest will.

    Raises:
        ColumnError: A value cannot be transformed.
    """
    table = read_kept(unit, plan.schema, plan.columns, plan.check)
    codes = assign_split(table, plan.schema, plan.split)
    names = plan.names
    path = plan.folder / f"part-{unit.index:06}.parquet"
    writer: pq.ParquetWriter | None = None
    step = max(_PIECE_CELLS // len(names), 1)
    at_once = step * _PIECES_AT_ONCE
    for start in range(0, max(table.num_rows, 1), at_once):
        piece = table.slice(start, at_once)
        written = _piece(plan, piece, codes[start : start + at_once], names)
        if writer is None:
            writer = _writer(path, written.schema, plan)
        writer.write_table(written, row_group_size=step)
    if writer is not None:
        writer.close()
    facts: dict[str, Any] = {"name": path.name, "rows": table.num_rows}
    facts |= {"size_bytes": path.stat().st_size, "sha256": digest_file(path)}
    return canonical_bytes(facts)


def _piece(
    plan: TablePlan, piece: pa.Table, codes: np.ndarray[Any, Any], names: list[str]
) -> pa.Table:
    columns = [piece.column(name) for name in plan.split.key]
    parts = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(SPLITS))
    if plan.is_sparse:
        csr = sparse_features_of_rows(plan.transform, piece, codes, plan.schema, plan.folds)
        features = [pa.ListArray.from_arrays(csr.indptr, item) for item in (csr.indices, csr.data)]
    else:
        matrix = features_of_rows(plan.transform, piece, codes, plan.schema, plan.folds)
        features = list(np.ascontiguousarray(matrix.T))
    return pa.table([*columns, parts, *features], names=names)


def _writer(path: Path, schema: pa.Schema, plan: TablePlan) -> pq.ParquetWriter:
    """Floats do not repeat, so dictionaries of them would be built in vain."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="lz4",
        use_dictionary=[*plan.split.key, SPLIT_COLUMN],
        write_page_checksum=True,
    )
