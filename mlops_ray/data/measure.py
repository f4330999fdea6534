"""Measuring a column: its statistics for each part of the rows, and its share of the rows' hashes.

A column is decoded once and walked through in pieces that stay in the processor's cache; whatever
is wanted of a value is worked out while it lies there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.data.binned import bin_floats, bin_integers, bin_texts
from mlops_ray.data.cells import CarriedCells, FixedCells, TextCells
from mlops_ray.data.column_profile import (
    CategoryProfile,
    NumberProfile,
    PresenceProfile,
    TimeProfile,
)
from mlops_ray.data.counts import MAX_DISTINCT, ValueCounts
from mlops_ray.data.exact import LIMIT, ExactSum, RunningSum
from mlops_ray.data.histogram import NO_BITS, Histogram, top_bits
from mlops_ray.data.joint import MAX_BINS
from mlops_ray.data.row_parts import PIECE_ROWS
from mlops_ray.data.target_rows import bin_fixed
from mlops_ray.data.text_hash import hash_texts
from mlops_ray.data.time_histogram import TimeHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlops_ray.data.binned import Binned
    from mlops_ray.data.cells import Cells
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.exact import Digits
    from mlops_ray.data.row_parts import Piece, RowParts
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
        return list(_numbers(cells, dtype, rows, hasher, joint))
    if hasher is not None:
        for _ in _words(cells, rows, hasher):
            pass
    if joint is not None:
        for part in range(rows.n_parts):
            joint.count(part, bin_fixed(cells, dtype, rows, part, MAX_BINS))
    measure = _booleans if dtype == "boolean" else _times
    return [measure(*_present(cells, rows, part), dtype) for part in range(rows.n_parts)]


def _words(
    cells: FixedCells, rows: RowParts, hasher: CellHasher | None
) -> Iterator[tuple[Piece, NDArray[np.uint64], NDArray[np.bool_] | None]]:
    """Pieces, with their words, hashed already, and what is missing; the words are overwritten."""
    buffer = np.empty(min(PIECE_ROWS, rows.n_rows), dtype=np.uint64)
    for piece in rows.pieces():
        words = buffer[: piece.stop - piece.start]
        missing = cells.fill(words, rows, piece)
        if hasher is not None:
            hasher.absorb(piece, words)
        yield piece, words, missing


@dataclass(slots=True)
class _Totals:
    """What is added up of a part's numbers."""

    n_null: int = 0
    n_extreme: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    sums: RunningSum = field(default_factory=RunningSum)

    def add(
        self, values: NDArray[np.float64], missing: NDArray[np.bool_] | None
    ) -> NDArray[np.bool_] | None:
        """Add a piece; its values become 0 where they are missing or extreme, which is returned."""
        if missing is not None:
            self.n_null += int(np.count_nonzero(missing))
            np.putmask(values, missing, np.nan)
        low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if high >= LIMIT or low <= -LIMIT:
            is_extreme = np.abs(values) >= LIMIT
            self.n_extreme += int(np.count_nonzero(is_extreme))
            missing = is_extreme if missing is None else is_extreme | missing
            np.putmask(values, missing, np.nan)
            low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if missing is not None:
            np.putmask(values, missing, 0.0)
        if low <= high:  # Otherwise there is no value.
            self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        return missing

    def add_sums(self, values: NDArray[np.float64]) -> Digits:
        """Add the sums of a piece that was added; the values are overwritten."""
        if self.minimum > self.maximum:
            return []
        return self.sums.add(values, max(abs(self.minimum), abs(self.maximum)))


def _numbers(
    cells: FixedCells,
    dtype: LogicalType,
    rows: RowParts,
    hasher: CellHasher | None,
    joint: ColumnJoint | None,
) -> Iterator[NumberProfile]:
    totals = [_Totals() for _ in range(rows.n_parts)]
    bits = np.empty(rows.n_rows, dtype=np.int64)
    for piece, words, is_null in _words(cells, rows, hasher):
        values = words.view(np.float64)
        if not cells.is_float:
            values[:] = words.view(np.int64)
        of_part = totals[piece.part]
        missing = of_part.add(values, is_null)
        own = bits[piece.start : piece.stop]
        top_bits(words, own)
        if missing is not None:
            np.putmask(own, missing, NO_BITS)
        digits = of_part.add_sums(values)
        if joint is not None:
            joint.absorb(piece, digits, missing)
    for part, found in enumerate(totals):
        own = bits[rows.bounds[part] : rows.bounds[part + 1]]
        profile = _number_profile(cells, dtype, rows, part, found, own)
        if joint is not None:
            binned = _binned(cells, rows, part, own, profile.histogram)
            joint.count(part, binned, is_number=True)
        yield profile


def _binned(
    cells: FixedCells, rows: RowParts, part: int, bits: NDArray[np.int64], histogram: Histogram
) -> Binned:
    if cells.is_float or histogram.buckets.size > MAX_BINS:
        return bin_floats(bits, histogram, MAX_BINS)
    missing = None if cells.nulls is None else rows.of_part(cells.nulls, part)
    return bin_integers(rows.of_part(cells.values, part), missing, bits, histogram, MAX_BINS)


def _number_profile(
    cells: FixedCells,
    dtype: LogicalType,
    rows: RowParts,
    part: int,
    found: _Totals,
    bits: NDArray[np.int64],
) -> NumberProfile:
    n_rows = rows.sizes[part]
    n_missing = found.n_null + found.n_extreme
    has_values = n_missing < n_rows
    histogram = Histogram.of_top_bits(bits) if has_values else Histogram()
    return NumberProfile(
        dtype=dtype,
        n_rows=n_rows,
        n_null=found.n_null,
        n_extreme=found.n_extreme,
        minimum=found.minimum if has_values else None,
        maximum=found.maximum if has_values else None,
        sums=ExactSum(n_rows - n_missing, *found.sums.sums()),
        histogram=histogram,
        counts=_counts(cells, dtype, rows, part, histogram),
    )


def _counts(
    cells: FixedCells, dtype: LogicalType, rows: RowParts, part: int, histogram: Histogram
) -> ValueCounts:
    if histogram.buckets.size > MAX_DISTINCT[dtype]:  # Each holds a value of its own.
        return ValueCounts.none(dtype, is_overflow=True)
    values, _, _ = _present(cells, rows, part)
    if cells.is_float:
        values = values[np.abs(values) < LIMIT] + 0.0
    return ValueCounts.of_numbers(dtype, values)


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
    for part, n_rows in enumerate(rows.sizes):
        own = codes[rows.bounds[part] : rows.bounds[part + 1]]
        counts = ValueCounts.of_codes(own, cells.values)
        n_null = int(np.count_nonzero(own == len(cells.values)))
        if joint is not None and words is not None:
            joint.count(part, bin_texts(own, words[0], MAX_BINS))
        yield CategoryProfile("string", n_rows, n_null, counts)


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
        yield from _numbers(cells.numbers, dtype, rows, None, joint)
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
