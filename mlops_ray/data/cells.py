"""A column decoded once, for its hash and its statistics alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from mlops_ray.data.arrays import fixed_values, to_dictionary, validity

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.arrays import Column
    from mlops_ray.data.row_parts import Piece, RowParts
    from mlops_ray.data.schema import LogicalType

__all__ = ["NULL_WORD", "Cells", "FixedCells", "TextCells", "decode"]

# First 8 bytes of BLAKE2b of "mlops-ray/rowhash/v2/null": no value that stands for anything.
NULL_WORD: Final = np.uint64(0xEB8FB65E9CF40A81)
_NAN_WORD: Final = np.uint64(0x7FF8000000000000)


@dataclass(frozen=True, slots=True)
class FixedCells:
    """A column of numbers, booleans or times.

    Attributes:
        values: float64, or int64 for all but floats; anything where a value is null.
        nulls: True where a value is null; None where none is.
    """

    values: NDArray[Any]
    nulls: NDArray[np.bool_] | None

    @property
    def is_float(self) -> bool:
        """Whether the values are floats."""
        return self.values.dtype == np.float64

    def fill(
        self, words: NDArray[np.uint64], rows: RowParts, piece: Piece
    ) -> NDArray[np.bool_] | None:
        """Write a piece's words as `docs/fingerprint.md` has them.

        Args:
            words: Written to, of the piece's length.
            rows: The order of the rows.
            piece: Which rows.

        Returns:
            True where a value is null or NaN; None where none is.
        """
        rows.fill(words.view(self.values.dtype), self.values, piece)
        missing: NDArray[np.bool_] | None = None
        if self.is_float:
            floats = words.view(np.float64)
            with np.errstate(invalid="ignore"):  # A signalling NaN is a NaN as well.
                floats += 0.0  # -0.0 + 0.0 is 0.0; all else stays.
            is_nan = np.isnan(floats)
            if is_nan.any():
                missing = is_nan
                np.putmask(words, is_nan, _NAN_WORD)
        if self.nulls is not None:
            nulls = np.empty(words.size, dtype=np.bool_)
            rows.fill(nulls, self.nulls, piece)
            np.putmask(words, nulls, NULL_WORD)
            missing = nulls if missing is None else nulls | missing
        return missing


@dataclass(frozen=True, slots=True)
class TextCells:
    """A column of strings.

    Attributes:
        codes: Position of each row's value; the number of values for null.
        values: The values, without nulls; one may stand there unused.
    """

    codes: NDArray[np.intp]
    values: pa.Array


Cells: TypeAlias = FixedCells | TextCells


def decode(column: Column, dtype: LogicalType, name: str = "") -> Cells:
    """A column in its canonical Arrow type as numpy arrays.

    Args:
        column: What to decode.
        dtype: Its logical type.
        name: For messages.

    Raises:
        ColumnError: A string is not UTF-8.
    """
    if dtype == "string":
        return TextCells(*to_dictionary(column, name))
    return FixedCells(fixed_values(column, dtype), validity(column))
