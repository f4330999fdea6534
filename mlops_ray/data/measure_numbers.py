"""Measuring a column of numbers: a pass over its pieces, and what is made of each part then."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlops_ray.data.binned import bin_floats, bin_integers
from mlops_ray.data.column_profile import NumberProfile
from mlops_ray.data.counts import MAX_DISTINCT, ValueCounts
from mlops_ray.data.dyadic import distinct_of
from mlops_ray.data.exact import LIMIT, ExactSum, RunningSum
from mlops_ray.data.histogram import NO_BITS, Histogram, top_bits
from mlops_ray.data.joint import MAX_BINS
from mlops_ray.data.row_parts import PIECE_ROWS
from mlops_ray.data.run_counts import RunCounts
from mlops_ray.data.target_rows import RunSums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mlops_ray.data.binned import Binned
    from mlops_ray.data.cells import FixedCells
    from mlops_ray.data.exact import Digits
    from mlops_ray.data.row_parts import Piece, RowParts
    from mlops_ray.data.rowhash import CellHasher
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.data.target_rows import ColumnJoint

__all__ = ["hashed_pieces", "measure_numbers"]


@dataclass(slots=True)
class _Totals:
    """What is added up of a run's numbers."""

    n_null: int = 0
    n_extreme: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    sums: RunningSum = field(default_factory=RunningSum)

    @property
    def has_values(self) -> bool:
        """Whether any value was added."""
        return self.minimum <= self.maximum

    @property
    def n_missing(self) -> int:
        """Rows without a number."""
        return self.n_null + self.n_extreme

    def add(
        self, values: NDArray[np.float64], missing: NDArray[np.intp] | None
    ) -> NDArray[np.intp] | None:
        """Add a piece; its values become 0 where they are missing or extreme, which is returned."""
        if missing is not None:
            self.n_null += missing.size
            values[missing] = np.nan
        low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if high >= LIMIT or low <= -LIMIT:
            extreme = np.flatnonzero(np.abs(values) >= LIMIT)
            self.n_extreme += extreme.size
            missing = extreme if missing is None else np.concatenate([missing, extreme])
            values[extreme] = np.nan
            low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if missing is not None:
            values[missing] = 0.0
        if low <= high:  # Otherwise there is no value.
            self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        return missing

    def add_sums(self, values: NDArray[np.float64]) -> Digits:
        """Add the sums of a piece that was added; the values are overwritten."""
        if not self.has_values:
            return []
        return self.sums.add(values, max(abs(self.minimum), abs(self.maximum)))


def measure_numbers(
    cells: FixedCells,
    dtype: LogicalType,
    rows: RowParts,
    hasher: CellHasher | None,
    joint: ColumnJoint | None,
) -> Iterator[NumberProfile]:
    """The profile of each part; see `data.measure.measure_column`."""
    totals = [_Totals() for _ in rows.cuts[1:]]
    bits = np.empty(rows.n_rows, dtype=np.int64)
    for piece, words, is_null in hashed_pieces(cells, rows, hasher):
        values = words.view(np.float64)
        if not cells.is_float:
            values[:] = words.view(np.int64)
        of_run = totals[piece.run]
        missing = of_run.add(values, is_null)
        own = bits[piece.start : piece.stop]
        top_bits(words, own)
        if missing is not None:
            own[missing] = NO_BITS
        digits = of_run.add_sums(values)
        if joint is not None:
            joint.absorb(piece, digits, missing)
    for part in range(rows.n_parts):
        found = _Part(cells, rows, part, [totals[run] for run in rows.runs_of(part)], bits)
        yield found.profile(dtype)
        if joint is not None:
            found.count(joint)


class _Part:
    """The numbers of one part, when all pieces were added.

    Attributes:
        histograms: Of its runs.
        histogram: Of all of them.
    """

    def __init__(
        self,
        cells: FixedCells,
        rows: RowParts,
        part: int,
        totals: list[_Totals],
        bits: NDArray[np.int64],
    ) -> None:
        self._cells, self._rows, self._part, self._totals = cells, rows, part, totals
        self._bits = bits[rows.bounds[part] : rows.bounds[part + 1]]
        self.histograms = [
            Histogram.of_top_bits(bits[rows.run(run)]) if of_run.has_values else Histogram()
            for run, of_run in zip(rows.runs_of(part), totals, strict=True)
        ]
        self.histogram = Histogram.merged(self.histograms)

    def profile(self, dtype: LogicalType) -> NumberProfile:
        """The statistics."""
        n_rows, totals = self._bits.size, self._totals
        n_null = sum(of_run.n_null for of_run in totals)
        n_extreme = sum(of_run.n_extreme for of_run in totals)
        has_values = bool(self.histogram.buckets.size)
        sums = (ExactSum(0, *of_run.sums.sums()) for of_run in totals)
        return NumberProfile(
            dtype=dtype,
            n_rows=n_rows,
            n_null=n_null,
            n_extreme=n_extreme,
            minimum=min(of_run.minimum for of_run in totals) if has_values else None,
            maximum=max(of_run.maximum for of_run in totals) if has_values else None,
            sums=sum(sums, start=ExactSum(n_rows - n_null - n_extreme)),
            histogram=self.histogram,
            counts=self._counts(dtype),
        )

    def count(self, joint: ColumnJoint) -> None:
        """Count the part beside the target."""
        part, histogram = self._part, self.histogram
        is_coarse = self._cells.is_float or histogram.buckets.size > MAX_BINS
        if not joint.has_classes:
            by_bits = partial(bin_floats, self._bits, histogram, MAX_BINS)
            joint.count(part, by_bits() if is_coarse else self._whole_numbers(), is_number=True)
            return
        if is_coarse:
            n_missing = [of_run.n_missing for of_run in self._totals]
            counts = RunCounts.of_histograms(histogram, self.histograms, n_missing, MAX_BINS)
        else:
            counts = RunCounts.of_part(self._whole_numbers(), self._rows, part)
        sums = [RunSums(t.sums.total_of_digits(), t.n_missing) for t in self._totals]
        joint.count_runs(part, counts, sums)

    def _counts(self, dtype: LogicalType) -> ValueCounts:
        limit, n_buckets = MAX_DISTINCT[dtype], self.histogram.buckets.size
        if n_buckets > limit or self._is_distinct(limit):
            return ValueCounts.none(dtype, is_overflow=True)
        values = self._counted(self._rows.rows_of(self._part))
        return ValueCounts.of_numbers(dtype, values)

    def _is_distinct(self, limit: int) -> bool:
        """Whether so many of the first values differ that none need be counted: the usual case."""
        values = self._counted(self._rows.rows_of(self._part)[: limit + limit // 4])
        return values.size > limit and distinct_of(values.view(np.int64)).size > limit

    def _counted(self, rows: NDArray[np.intp]) -> NDArray[np.int64] | NDArray[np.float64]:
        """The values of some of the part's rows, without those that are not counted."""
        cells = self._cells
        values = cells.values[rows]
        if cells.nulls is not None:
            values = values[~cells.nulls[rows]]
        return values[np.abs(values) < LIMIT] + 0.0 if cells.is_float else values

    def _whole_numbers(self) -> Binned:
        cells, rows, part = self._cells, self._rows, self._part
        missing = None if cells.nulls is None else rows.of_part(cells.nulls, part)
        values = rows.of_part(cells.values, part)
        return bin_integers(values, missing, self._bits, self.histogram, MAX_BINS)


def hashed_pieces(
    cells: FixedCells, rows: RowParts, hasher: CellHasher | None
) -> Iterator[tuple[Piece, NDArray[np.uint64], NDArray[np.intp] | None]]:
    """Pieces, their words, hashed already, and where a value is missing; to be overwritten."""
    buffer = np.empty(min(PIECE_ROWS, rows.n_rows), dtype=np.uint64)
    for piece in rows.pieces():
        words = buffer[: piece.stop - piece.start]
        missing = cells.fill(words, rows, piece)
        if hasher is not None:
            hasher.absorb(piece, words)
        yield piece, words, missing
