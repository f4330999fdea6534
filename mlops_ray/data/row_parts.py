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

__all__ = ["PIECE_ROWS", "Piece", "RowParts"]

# 64 KiB a column of 64 bits: a dozen of them lie in a core's second cache, and BLAS starts no
# threads for a dot product of that length. At most `data.exact.MAX_VALUES`.
PIECE_ROWS: Final = 2**13


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring rows of one part.

    Attributes:
        part: Number of the part.
        start: First of its rows, counted in the order of the parts.
        stop: Row behind its last.
    """

    part: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class RowParts:
    """The rows of a table and the part that each belongs to.

    Attributes:
        n_rows: Rows of all parts.
        bounds: Where each part starts, in the order of the parts, and where the last ends.
        order: Numbers of the table's rows in that order; None where it is the table's own.
    """

    n_rows: int
    bounds: tuple[int, ...]
    order: NDArray[np.intp] | None = None

    @classmethod
    def whole(cls, n_rows: int) -> Self:
        """One part of all rows."""
        return cls(n_rows, (0, n_rows))

    @classmethod
    def of_codes(cls, codes: NDArray[np.integer[Any]], n_parts: int) -> Self:
        """Parts by number.

        Args:
            codes: The part of each row, below `n_parts`.
            n_parts: Parts there can be.

        Example:
            >>> RowParts.of_codes(np.array([1, 0, 1]), 2).order
            array([1, 0, 2])
        """
        counts = np.bincount(codes, minlength=n_parts)
        bounds = (0, *(int(end) for end in np.cumsum(counts)))
        if (counts == codes.size).any():
            return cls(codes.size, bounds)
        return cls(codes.size, bounds, np.argsort(codes, kind="stable"))

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return len(self.bounds) - 1

    @property
    def sizes(self) -> list[int]:
        """Rows of each part."""
        return [stop - start for start, stop in pairwise(self.bounds)]

    def pieces(self) -> Iterator[Piece]:
        """All rows in pieces of at most `PIECE_ROWS`."""
        for part, (first, end) in enumerate(pairwise(self.bounds)):
            for start in range(first, end, PIECE_ROWS):
                yield Piece(part, start, min(start + PIECE_ROWS, end))

    def fill(self, out: NDArray[Any], values: NDArray[Any], piece: Piece) -> None:
        """Write a piece's values of a column in the table's order; types have to agree."""
        if self.order is None:
            out[:] = values[piece.start : piece.stop]
        else:
            values.take(self.order[piece.start : piece.stop], out=out, mode="clip")

    def rows_of(self, part: int) -> NDArray[np.intp]:
        """Numbers of a part's rows in the table, increasing."""
        start, stop = self.bounds[part], self.bounds[part + 1]
        return np.arange(start, stop) if self.order is None else self.order[start:stop]

    def of_part(self, values: NDArray[Any], part: int) -> NDArray[Any]:
        """All values of a part, from a column in the table's order; not to be written to."""
        start, stop = self.bounds[part], self.bounds[part + 1]
        return values[start:stop] if self.order is None else values.take(self.order[start:stop])
