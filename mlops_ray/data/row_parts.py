"""Rows parted into groups, read in pieces small enough for the processor's cache.

Statistics are kept for each part of the split. Rather than picking a part's rows out of every
column, the order that puts the parts behind one another is found once; a piece then belongs to one
part as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["PIECE_ROWS", "Classes", "Piece", "RowParts"]

# 64 KiB a column of 64 bits: a dozen of them lie in a core's second cache, and BLAS starts no
# threads for a dot product of that length. At most `data.exact.MAX_VALUES`.
PIECE_ROWS: Final = 2**13


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring rows of one part.

    Attributes:
        part: Number of the part.
        run: Number of the run, of all parts.
        start: First of its rows, counted in the order of the parts.
        stop: Row behind its last.
    """

    part: int
    run: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Classes:
    """Rows sorted into few classes.

    Attributes:
        codes: The class of each row, in the order of the table.
        n: Classes there can be.
    """

    codes: NDArray[np.int8]
    n: int


@dataclass(frozen=True, slots=True)
class RowParts:
    """The rows of a table and the part that each belongs to.

    Attributes:
        n_rows: Rows of all parts.
        cuts: Where each run starts, in the order of the parts, and where the last ends.
        order: Numbers of the table's rows in that order; None where it is the table's own.
        n_runs: Runs of each part, in each of which all rows are of one class.
    """

    n_rows: int
    cuts: tuple[int, ...]
    order: NDArray[np.intp] | None = None
    n_runs: int = 1

    @classmethod
    def whole(cls, n_rows: int) -> Self:
        """One part of all rows."""
        return cls(n_rows, (0, n_rows))

    @classmethod
    def of_codes(
        cls, codes: NDArray[np.integer[Any]], n_parts: int, classes: Classes | None = None
    ) -> Self:
        """Parts by number.

        Args:
            codes: The part of each row, below `n_parts`.
            n_parts: Parts there can be.
            classes: By which the rows of a part are ordered.

        Example:
            >>> RowParts.of_codes(np.array([1, 0, 1]), 2).order
            array([1, 0, 2])
        """
        n_runs = 1
        if classes is not None:
            n_runs = classes.n
            codes = (codes * n_runs + classes.codes).astype(np.int8)  # Sorted by counting.
        counts = np.bincount(codes, minlength=n_parts * n_runs)
        cuts = (0, *(int(end) for end in np.cumsum(counts)))
        if (counts == codes.size).any():
            return cls(codes.size, cuts, None, n_runs)
        return cls(codes.size, cuts, np.argsort(codes, kind="stable"), n_runs)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Where each part starts, in the order of the parts, and where the last ends."""
        return self.cuts[:: self.n_runs]

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return len(self.bounds) - 1

    def runs_of(self, part: int) -> range:
        """Numbers of a part's runs."""
        return range(part * self.n_runs, (part + 1) * self.n_runs)

    def run(self, number: int) -> slice:
        """Rows of a run, in the order of the parts."""
        return slice(self.cuts[number], self.cuts[number + 1])

    @property
    def sizes(self) -> list[int]:
        """Rows of each part."""
        return [stop - start for start, stop in pairwise(self.bounds)]

    def pieces(self) -> Iterator[Piece]:
        """All rows in pieces of at most `PIECE_ROWS`."""
        for run, (first, end) in enumerate(pairwise(self.cuts)):
            for start in range(first, end, PIECE_ROWS):
                yield Piece(run // self.n_runs, run, start, min(start + PIECE_ROWS, end))

    def fill(self, out: NDArray[Any], values: NDArray[Any], piece: Piece) -> None:
        """Write a piece's values of a column in the table's order; types have to agree."""
        if self.order is None:
            out[:] = values[piece.start : piece.stop]
        else:
            values.take(self.order[piece.start : piece.stop], out=out, mode="clip")

    def rows_of(self, part: int) -> NDArray[np.intp]:
        """Numbers of a part's rows in the table, increasing in each run."""
        start, stop = self.bounds[part], self.bounds[part + 1]
        return np.arange(start, stop) if self.order is None else self.order[start:stop]

    def of_part(self, values: NDArray[Any], part: int) -> NDArray[Any]:
        """All values of a part, from a column in the table's order; not to be written to."""
        start, stop = self.bounds[part], self.bounds[part + 1]
        return values[start:stop] if self.order is None else values.take(self.order[start:stop])
