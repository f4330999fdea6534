"""Measuring a column: its statistics for each part of the rows, and its share of the rows' hashes.

A column is decoded once and walked through in pieces that stay in the processor's cache; whatever
is wanted of a value is worked out while it lies there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.data.binned import bin_texts
from mlops_ray.data.cells import CarriedCells, FixedCells, TextCells
from mlops_ray.data.column_profile import CategoryProfile, PresenceProfile, TimeProfile
from mlops_ray.data.counts import ValueCounts
from mlops_ray.data.joint import MAX_BINS
from mlops_ray.data.measure_numbers import hashed_pieces, measure_numbers
from mlops_ray.data.run_counts import RunCounts
from mlops_ray.data.target_rows import bin_fixed
from mlops_ray.data.text_hash import hash_texts
from mlops_ray.data.time_histogram import TimeHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlops_ray.data.binned import Binned
    from mlops_ray.data.cells import Cells
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.row_parts import RowParts
    from mlops_ray.data.rowhash import CellHasher
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.data.target_rows import ColumnJoint

__all__ = ["measure_column"]


def measure_column(
    cells: Cells,
    dtype: LogicalType,
    rows: RowParts,
    hasher: CellHasher | None = None,
    joint: ColumnJoint | None = None,
) -> list[ColumnProfile]:
    """Statistics of a column for each part of the rows.

    Values that are counted stand in any order, until the profiles are merged.

    Args:
        cells: The decoded column.
        dtype: Its logical type.
        rows: The rows' parts.
        hasher: Takes in the column's cells; None where no hash is wanted.
        joint: Counts the column beside the target; None where that is not wanted.

    Example:
        >>> import pyarrow as pa
        >>> from mlops_ray.data.cells import decode
        >>> from mlops_ray.data.row_parts import RowParts
        >>> column = decode(pa.array([1.0, None, 3.0]), "float")
        >>> (profile,) = measure_column(column, "float", RowParts.whole(3))
        >>> profile.n_null, profile.sums.mean
        (1, 2.0)
    """
    if isinstance(cells, TextCells):
        return list(_texts(cells, rows, hasher, joint))
    if isinstance(cells, CarriedCells):
        return list(_carried(cells, dtype, rows, hasher, joint))
    if dtype in {"integer", "float"}:
        return list(measure_numbers(cells, dtype, rows, hasher, joint))
    if hasher is not None:
        for _ in hashed_pieces(cells, rows, hasher):
            pass
    if joint is not None:
        for part in range(rows.n_parts):
            _count(joint, rows, part, bin_fixed(cells, dtype, rows, part, MAX_BINS))
    measure = _booleans if dtype == "boolean" else _times
    return [measure(*_present(cells, rows, part), dtype) for part in range(rows.n_parts)]


def _count(joint: ColumnJoint, rows: RowParts, part: int, binned: Binned) -> None:
    if joint.has_classes:
        joint.count_runs(part, RunCounts.of_part(binned, rows, part))
    else:
        joint.count(part, binned)


def _present(cells: FixedCells, rows: RowParts, part: int) -> tuple[NDArray[Any], int, int]:
    """Values of a part that are not null, its rows, and how many of them are null."""
    values = rows.of_part(cells.values, part)
    if cells.nulls is None:
        return values, values.size, 0
    there = values[~rows.of_part(cells.nulls, part)]
    return there, values.size, values.size - there.size


def _texts(
    cells: TextCells, rows: RowParts, hasher: CellHasher | None, joint: ColumnJoint | None
) -> Iterator[CategoryProfile]:
    codes = np.empty(rows.n_rows, dtype=np.intp)
    words = None if hasher is None and joint is None else hash_texts(cells.values)
    for piece in rows.pieces():
        own = codes[piece.start : piece.stop]
        rows.fill(own, cells.codes, piece)
        if hasher is not None and words is not None:
            hasher.absorb_texts(piece, own, words)
    n_codes = len(cells.values) + 1
    for part, n_rows in enumerate(rows.sizes):
        runs = [np.bincount(codes[rows.run(at)], minlength=n_codes) for at in rows.runs_of(part)]
        counts = runs[0] if len(runs) == 1 else np.sum(runs, axis=0)
        found = ValueCounts.of_rows(counts[:-1], cells.values)
        yield CategoryProfile("string", n_rows, int(counts[-1]), found)
        if joint is None or words is None:
            continue
        if joint.has_classes:
            joint.count_runs(part, RunCounts.of_texts(runs, words[0], MAX_BINS))
        else:
            own = codes[rows.bounds[part] : rows.bounds[part + 1]]
            joint.count(part, bin_texts(own, words[0], MAX_BINS))


def _carried(
    cells: CarriedCells,
    dtype: LogicalType,
    rows: RowParts,
    hasher: CellHasher | None,
    joint: ColumnJoint | None,
) -> Iterator[ColumnProfile]:
    if hasher is not None:
        for piece in rows.pieces():
            hasher.absorb_lanes(piece, cells.words)
    if cells.numbers is not None:
        yield from measure_numbers(cells.numbers, dtype, rows, None, joint)
        return
    for part, n_rows in enumerate(rows.sizes):
        nulls = cells.nulls
        n_null = 0 if nulls is None else int(np.count_nonzero(rows.of_part(nulls, part)))
        yield PresenceProfile(dtype, n_rows, n_null)


def _booleans(
    flags: NDArray[np.int64], n_rows: int, n_null: int, _: LogicalType
) -> CategoryProfile:
    n_true = int(flags.sum())
    counts = ValueCounts.of_mapping("boolean", {False: flags.size - n_true, True: n_true})
    return CategoryProfile("boolean", n_rows, n_null, counts)


def _times(ticks: NDArray[np.int64], n_rows: int, n_null: int, dtype: LogicalType) -> TimeProfile:
    first, last = (int(ticks.min()), int(ticks.max())) if ticks.size else (None, None)
    return TimeProfile(dtype, n_rows, n_null, first, last, TimeHistogram.of(ticks))
