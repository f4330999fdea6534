"""The target of a unit's rows, decoded once and counted beside every other column."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.binned import bin_floats, bin_integers, bin_texts, bin_times
from mlops_ray.data.cells import FixedCells, TextCells
from mlops_ray.data.exact import LIMIT, ExactSum, RunningProduct, RunningSum
from mlops_ray.data.histogram import NO_BITS, Histogram, top_bits
from mlops_ray.data.joint import MAX_TARGET_BINS, JointCounts
from mlops_ray.data.row_parts import Piece
from mlops_ray.data.text_hash import hash_texts
from mlops_ray.data.time_histogram import TimeHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.binned import Binned
    from mlops_ray.data.cells import Counted
    from mlops_ray.data.exact import Digits
    from mlops_ray.data.row_parts import RowParts
    from mlops_ray.data.run_counts import RunCounts
    from mlops_ray.data.schema import LogicalType

__all__ = ["ColumnJoint", "RunSums", "TargetRows", "bin_fixed"]

_NO_BITS: Final = np.zeros(0, dtype=np.int64)
_GLANCE_ROWS: Final = 64  # Two columns that are not equal differ in one of so many rows.


@dataclass(frozen=True, slots=True)
class _Piece:
    """The target's numbers in a piece of the rows: the values, and their digits."""

    values: NDArray[np.float64]
    largest: float
    digits: Digits


@dataclass(frozen=True, slots=True)
class RunSums:
    """Numbers of a column in one run of the rows.

    Attributes:
        total: Their sum in units of 2^-1126, without those below 2^-400.
        n_missing: Rows without a number.
    """

    total: int
    n_missing: int


class TargetRows:
    """The target, binned for each part of the rows.

    Args:
        cells: Its decoded column.
        dtype: Its logical type.
        rows: The rows' parts, whose runs are of one class where `data.classes` gave some.
    """

    def __init__(self, cells: Counted, dtype: LogicalType, rows: RowParts) -> None:
        self.cells, self.dtype, self.rows = cells, dtype, rows
        self.binned = [_bin_part(cells, dtype, rows, part) for part in range(rows.n_parts)]
        self.pieces: dict[int, _Piece] = {}
        if isinstance(cells, FixedCells) and dtype in {"integer", "float", "boolean"}:
            pieces = _firsts(rows) if self.has_classes else rows.pieces()
            self.pieces = {piece.start: _numbers(cells, rows, piece) for piece in pieces}

    @property
    def has_classes(self) -> bool:
        """Whether each run of the rows has one value of the target."""
        return self.rows.n_runs > 1

    def has_product(self, part: int) -> bool:
        """Whether a column of numbers can be multiplied with the target in a part."""
        return bool(self.pieces or not self.rows.sizes[part])

    def beside(self, cells: Counted) -> ColumnJoint:
        """Counts for another column, which are taken while that is measured."""
        return ColumnJoint(self, cells)


class ColumnJoint:
    """Counts of one column beside the target.

    Attributes:
        found: The counts of each part, when the column has been measured.
    """

    def __init__(self, target: TargetRows, cells: Counted) -> None:
        self.found: list[JointCounts] = []
        self._target = target
        self._cells = cells
        self._products = [RunningProduct() for _ in range(target.rows.n_parts)]
        self._unmatched = [(RunningSum(), [0]) for _ in range(target.rows.n_parts)]

    @property
    def has_classes(self) -> bool:
        """Whether runs are to be counted, by `count_runs`, rather than rows."""
        return self._target.has_classes

    def absorb(self, piece: Piece, digits: Digits, missing: NDArray[np.intp] | None) -> None:
        """Take in a piece of a column of numbers, unless runs are counted.

        Args:
            piece: Which rows.
            digits: Of the column's values, from `RunningSum.add`.
            missing: Rows of the piece without a value; None where there are none.
        """
        own = self._target.pieces.get(piece.start)
        if own is None or self.has_classes:
            return
        self._products[piece.part].add(digits, own.digits)
        if missing is not None:
            sums, n = self._unmatched[piece.part]
            absent = own.values[missing]
            n[0] += absent.size
            sums.add(absent, own.largest)

    def count(self, part: int, binned: Binned, *, is_number: bool = False) -> None:
        """Count the rows of a part; parts come in their order."""
        sums, (n,) = self._unmatched[part]
        has_product = is_number and self._target.has_product(part)
        joint = JointCounts.of(
            binned,
            self._target.binned[part],
            is_equal=self._is_equal(part),
            product=self._products[part].sum() if has_product else None,
            unmatched=ExactSum(n, *sums.sums()),
        )
        self.found.append(joint)

    def count_runs(
        self, part: int, counts: RunCounts, numbers: Sequence[RunSums] | None = None
    ) -> None:
        """Count the runs of a part; parts come in their order.

        Args:
            part: Number of the part.
            counts: Rows of each run by bin of the column.
            numbers: Of a column of numbers the sums of each run.
        """
        rows = self._target.rows
        cuts = [rows.run(run) for run in rows.runs_of(part)]
        first = rows.bounds[part]
        product, unmatched = self._sums([cut.start for cut in cuts], numbers or ())
        has_product = numbers is not None and self._target.has_product(part)
        joint = JointCounts.of_runs(
            counts,
            self._target.binned[part],
            [cut.start - first if cut.start < cut.stop else None for cut in cuts],
            is_equal=self._is_equal(part),
            product=product if has_product else None,
            unmatched=unmatched,
        )
        self.found.append(joint)

    def _sums(self, starts: list[int], numbers: Sequence[RunSums]) -> tuple[int, ExactSum]:
        """Product with the target, and the target's sums where the column has no number."""
        product, unmatched = 0, ExactSum()
        for start, run in zip(starts, numbers, strict=False):
            piece = self._target.pieces.get(start)
            if piece is not None:  # The target is a number, and the run has rows.
                one = RunningSum()
                one.add(piece.values.copy(), piece.largest)
                product += run.total * one.total_of_digits()
                n, (total, squares) = run.n_missing, one.sums()
                unmatched += ExactSum(n, n * total, n * squares)
        return product, unmatched

    def _is_equal(self, part: int) -> bool:
        return _is_equal(self._cells, self._target.cells, self._target.rows, part)


def bin_fixed(
    cells: FixedCells, dtype: LogicalType, rows: RowParts, part: int, limit: int
) -> Binned:
    """Booleans and times of a part."""
    values = rows.of_part(cells.values, part)
    missing = None if cells.nulls is None else rows.of_part(cells.nulls, part)
    if dtype == "boolean":
        return bin_integers(values, missing, _NO_BITS, Histogram(), limit)
    there = values if missing is None else values[~missing]
    return bin_times(values, missing, TimeHistogram.of(there), limit)


def _bin_part(cells: Counted, dtype: LogicalType, rows: RowParts, part: int) -> Binned:
    if isinstance(cells, TextCells):
        own = rows.of_part(cells.codes, part)
        return bin_texts(own, hash_texts(cells.values)[0], MAX_TARGET_BINS)
    if dtype not in {"integer", "float"}:
        return bin_fixed(cells, dtype, rows, part, MAX_TARGET_BINS)
    values = rows.of_part(cells.values, part)
    missing = None if cells.nulls is None else rows.of_part(cells.nulls, part)
    numbers = values.astype(np.float64) + 0.0
    absent = ~(np.abs(numbers) < LIMIT)  # NaN as well.
    if missing is not None:
        absent |= missing
    bits = np.empty(numbers.size, dtype=np.int64)
    top_bits(numbers.view(np.uint64), bits)
    bits[absent] = NO_BITS
    histogram = Histogram.of_top_bits(bits)
    if cells.is_float:
        return bin_floats(bits, histogram, MAX_TARGET_BINS)
    return bin_integers(values, missing, bits, histogram, MAX_TARGET_BINS)


def _firsts(rows: RowParts) -> Iterator[Piece]:
    """The first row of each run, which stands for all of them."""
    for run, (start, stop) in enumerate(pairwise(rows.cuts)):
        if start < stop:
            yield Piece(run // rows.n_runs, run, start, start + 1)


def _numbers(cells: FixedCells, rows: RowParts, piece: Piece) -> _Piece:
    words = np.empty(piece.stop - piece.start, dtype=np.uint64)
    missing = cells.fill(words, rows, piece)
    values = words.view(np.float64) if cells.is_float else words.view(np.int64).astype(np.float64)
    if missing is not None:
        values[missing] = 0.0
    values[np.abs(values) >= LIMIT] = 0.0
    largest = float(np.abs(values).max(initial=0.0))
    return _Piece(values, largest, RunningSum().add(values.copy(), largest))


def _is_equal(cells: Counted, target: Counted, rows: RowParts, part: int) -> bool:
    """Whether two columns hold the same in all rows of a part; null equals null."""
    at = rows.rows_of(part)
    return all(
        bool(_same(cells, target, own).all()) for own in (at[:_GLANCE_ROWS], at[_GLANCE_ROWS:])
    )


def _same(cells: Counted, target: Counted, at: NDArray[np.intp]) -> NDArray[np.bool_]:
    if isinstance(cells, TextCells) and isinstance(target, TextCells):
        equal: NDArray[np.bool_] = _texts_at(cells, at) == _texts_at(target, at)
        return equal
    if isinstance(cells, TextCells) or isinstance(target, TextCells):
        return np.zeros(at.size, dtype=np.bool_)
    (one, no_one), (other, no_other) = (_fixed_at(side, at) for side in (cells, target))
    same: NDArray[np.bool_] = ((one == other) & ~no_one & ~no_other) | (no_one & no_other)
    return same


def _texts_at(cells: TextCells, at: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Numbers that are equal where the strings are."""
    used, codes = np.unique(cells.codes[at], return_inverse=True)
    words = hash_texts(cells.values.take(pa.array(used[used < len(cells.values)])))[0]
    found: NDArray[np.uint64] = words[codes]
    return found


def _fixed_at(cells: FixedCells, at: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    values = cells.values[at]
    missing = np.zeros(at.size, dtype=np.bool_) if cells.nulls is None else cells.nulls[at]
    return values, missing | np.isnan(values) if cells.is_float else missing
