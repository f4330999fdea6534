"""Two 64-bit hash lanes a row, computed column by column with numpy.

A row's hash depends on the names, logical types and values of its columns alone: not on the file,
the width of the stored types, the column order or the rows around it. Equal values are equal (-0.0
and 0.0, all NaNs), null differs from every value. The mixing is fast, not cryptographic: it tells
accidents apart, while the input files themselves are pinned by SHA-256. `docs/fingerprint.md` has
the definition with test vectors.

Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014
(multipliers and the finaliser of SplitMix64); BLAKE2b (RFC 7693) for keys and long strings.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from mlops_ray.data.cells import CarriedCells, TextCells, decode
from mlops_ray.data.mixing import FINAL_SHIFT, FINAL_STEPS, LANE_STEPS
from mlops_ray.data.row_parts import PIECE_ROWS, RowParts
from mlops_ray.data.text_hash import hash_texts
from mlops_ray.manifest.canonical import canonical_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.cells import Cells
    from mlops_ray.data.row_parts import Piece
    from mlops_ray.data.schema import Schema

__all__ = ["N_LANES", "CellHasher", "HasherPair", "RowHasher", "hash_rows"]

N_LANES: Final = 2
_DOMAIN: Final = b"mlops-ray/rowhash/v2"


class CellHasher(Protocol):
    """Takes in the cells of one column after the other while they are measured."""

    def absorb(self, piece: Piece, words: NDArray[np.uint64]) -> None:
        """Take in a piece's cells, a word a row."""

    def absorb_texts(
        self, piece: Piece, codes: NDArray[np.intp], table: NDArray[np.uint64]
    ) -> None:
        """Take in a piece of a string column by the columns of a table of words."""

    def absorb_lanes(self, piece: Piece, words: NDArray[np.uint64]) -> None:
        """Take in a piece of a column with words of its own for each lane."""


class RowHasher:
    """Hashes rows while their columns are decoded for something else.

    Columns have to come in the order of their names. Each cell is worth one 64-bit word a lane,
    which is put into the lane's state by xor; a step that depends on all bits of the state follows.

    Attributes:
        rows: Which rows, and in which order.
        lanes: The state, shape ``(n_lanes, n_rows)``, in the order of the parts.
    """

    def __init__(
        self,
        rows: RowParts,
        schema: Schema,
        columns: Iterable[str],
        salt: int = 0,
        n_lanes: int = N_LANES,
    ) -> None:
        self.rows = rows
        self.lanes = np.empty((n_lanes, rows.n_rows), dtype=np.uint64)
        declared = canonical_bytes([[name, schema[name]] for name in sorted(columns)])
        start = blake2b(_DOMAIN + b"\0" + declared, digest_size=16, key=salt.to_bytes(8, "little"))
        self.lanes[:] = np.frombuffer(start.digest(), "<u8")[:n_lanes, np.newaxis]
        self._shifted = np.empty(min(PIECE_ROWS, rows.n_rows), dtype=np.uint64)

    def absorb(self, piece: Piece, words: NDArray[np.uint64], lane: int | None = None) -> None:
        """Take in a piece's cells of the next column.

        Args:
            piece: Which rows.
            words: A word a row, shape ``(n_rows,)``.
            lane: For which lane; for both by default.
        """
        shifted = self._shifted[: words.size]
        for at in range(len(self.lanes)) if lane is None else (lane,):
            shift, multiplier = LANE_STEPS[at]
            state = self.lanes[at, piece.start : piece.stop]
            state ^= words
            np.right_shift(state, shift, out=shifted)
            state ^= shifted
            state *= multiplier

    def absorb_texts(
        self, piece: Piece, codes: NDArray[np.intp], table: NDArray[np.uint64]
    ) -> None:
        """Take in a piece of a string column.

        Args:
            piece: Which rows.
            codes: Column of `table` for each row.
            table: Words of each distinct value, shape ``(2, n_distinct)``.
        """
        words = np.empty(codes.size, dtype=np.uint64)
        for lane in range(len(self.lanes)):
            table[lane].take(codes, out=words, mode="clip")
            self.absorb(piece, words, lane)

    def absorb_lanes(self, piece: Piece, words: NDArray[np.uint64]) -> None:
        """Take in a piece of a column with words of its own for each lane.

        Args:
            piece: Which rows.
            words: Of all cells in the table's order, shape ``(2, n_rows)``.
        """
        own = np.empty(piece.stop - piece.start, dtype=np.uint64)
        for lane in range(len(self.lanes)):
            self.rows.fill(own, words[lane], piece)
            self.absorb(piece, own, lane)

    def finish(self) -> NDArray[np.uint64]:
        """The rows' hashes, shape ``(n_lanes, n_rows)``, in the order of the parts."""
        for piece in self.rows.pieces():
            shifted = self._shifted[: piece.stop - piece.start]
            for lane in self.lanes:
                _finalise(lane[piece.start : piece.stop], shifted)
        return self.lanes


class HasherPair:
    """Two hashers that take in the same columns."""

    def __init__(self, one: RowHasher, other: RowHasher) -> None:
        self._both = (one, other)

    def absorb(self, piece: Piece, words: NDArray[np.uint64]) -> None:
        """Take in a piece's cells."""
        for hasher in self._both:
            hasher.absorb(piece, words)

    def absorb_texts(
        self, piece: Piece, codes: NDArray[np.intp], table: NDArray[np.uint64]
    ) -> None:
        """Take in a piece of a string column."""
        words = np.empty(codes.size, dtype=np.uint64)
        for lane in range(max(len(hasher.lanes) for hasher in self._both)):
            table[lane].take(codes, out=words, mode="clip")
            for hasher in self._both:
                if lane < len(hasher.lanes):
                    hasher.absorb(piece, words, lane)

    def absorb_lanes(self, piece: Piece, words: NDArray[np.uint64]) -> None:
        """Take in a piece of a column with words of its own for each lane."""
        for hasher in self._both:
            hasher.absorb_lanes(piece, words)


def hash_rows(
    table: pa.Table, schema: Schema, columns: Sequence[str], salt: int = 0
) -> NDArray[np.uint64]:
    """Hashes of a table's rows over the named columns.

    Args:
        table: Holds the columns in canonical types.
        schema: Logical types of the columns.
        columns: What is hashed; their order does not matter.
        salt: Non-negative, below 2^64; another salt gives unrelated hashes.

    Returns:
        Shape ``(2, n_rows)``.
    """
    hasher = RowHasher(RowParts.whole(table.num_rows), schema, columns, salt)
    for name in sorted(columns):
        _absorb(hasher, decode(table.column(name), schema[name], name))
    return hasher.finish()


def _absorb(hasher: RowHasher, cells: Cells) -> None:
    n_rows = min(PIECE_ROWS, hasher.rows.n_rows)
    if isinstance(cells, TextCells):
        texts, codes = hash_texts(cells.values), np.empty(n_rows, dtype=np.intp)
        for piece in hasher.rows.pieces():
            own = codes[: piece.stop - piece.start]
            hasher.rows.fill(own, cells.codes, piece)
            hasher.absorb_texts(piece, own, texts)
        return
    if isinstance(cells, CarriedCells):
        for piece in hasher.rows.pieces():
            hasher.absorb_lanes(piece, cells.words)
        return
    buffer = np.empty(n_rows, dtype=np.uint64)
    for piece in hasher.rows.pieces():
        words = buffer[: piece.stop - piece.start]
        cells.fill(words, hasher.rows, piece)
        hasher.absorb(piece, words)


def _finalise(words: NDArray[np.uint64], shifted: NDArray[np.uint64]) -> None:
    """SplitMix64's finaliser, in place: a bijection in which every bit depends on every bit."""
    for shift, multiplier in FINAL_STEPS:
        np.right_shift(words, shift, out=shifted)
        words ^= shifted
        words *= multiplier
    np.right_shift(words, FINAL_SHIFT, out=shifted)
    words ^= shifted
