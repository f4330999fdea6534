"""A column decoded once, for its hash and its statistics alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from mlops_ray.data.arrays import fixed_values, one_array, to_dictionary, to_numbers, validity
from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.carried_words import carried_words
from mlops_ray.data.mixing import NAN_WORD, NULL_WORD
from mlops_ray.data.schema import ARROW_TYPES
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.arrays import Column
    from mlops_ray.data.row_parts import Piece, RowParts
    from mlops_ray.data.schema import LogicalType

__all__ = ["CarriedCells", "Cells", "Counted", "FixedCells", "TextCells", "counted", "decode"]

_NOWHERE: Final = np.zeros(0, dtype=np.intp)


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
    ) -> NDArray[np.intp] | None:
        """Write a piece's words as `docs/fingerprint.md` has them.

        Args:
            words: Written to, of the piece's length.
            rows: The order of the rows.
            piece: Which rows.

        Returns:
            Where in the piece a value is null or NaN; None where none is.
        """
        rows.fill(words.view(self.values.dtype), self.values, piece)
        nulls = _NOWHERE
        if self.nulls is not None:
            is_null = np.empty(words.size, dtype=np.bool_)
            rows.fill(is_null, self.nulls, piece)
            nulls = np.flatnonzero(is_null)
        missing = nulls
        if self.is_float:
            floats = words.view(np.float64)
            with np.errstate(invalid="ignore"):  # A signalling NaN is a NaN as well.
                floats += 0.0  # -0.0 + 0.0 is 0.0; all else stays.
            is_nan = np.isnan(floats)
            if np.count_nonzero(is_nan):
                words[is_nan] = NAN_WORD
                is_nan[nulls] = True
                missing = np.flatnonzero(is_nan)
        words[nulls] = NULL_WORD
        return missing if missing.size else None


@dataclass(frozen=True, slots=True)
class TextCells:
    """A column of strings.

    Attributes:
        codes: Position of each row's value; the number of values for null.
        values: The values, without nulls; one may stand there unused.
    """

    codes: NDArray[np.intp]
    values: pa.Array


@dataclass(frozen=True, slots=True)
class CarriedCells:
    """A column of any other type, known by its hash.

    Attributes:
        words: Of each cell, shape ``(2, n_rows)``.
        nulls: True where a value is null; None where none is.
        numbers: What decimals are worth as float64; None of all other types.
    """

    words: NDArray[np.uint64]
    nulls: NDArray[np.bool_] | None
    numbers: FixedCells | None


Cells: TypeAlias = FixedCells | TextCells | CarriedCells
Counted: TypeAlias = FixedCells | TextCells


def counted(cells: Cells, dtype: LogicalType) -> tuple[Counted, LogicalType] | None:
    """A column as what can be counted of it, a decimal as a float; None of other carried ones."""
    if not isinstance(cells, CarriedCells):
        return cells, dtype
    return None if cells.numbers is None else (cells.numbers, "float")


def decode(column: Column, dtype: LogicalType, name: str = "") -> Cells:
    """A column in its canonical Arrow type as numpy arrays.

    Args:
        column: What to decode.
        dtype: Its logical type.
        name: For messages.

    Raises:
        ColumnError: A string is not UTF-8, or a value is beyond what can be counted.
    """
    if dtype == "string":
        return TextCells(*to_dictionary(column, name))
    if dtype in ARROW_TYPES:
        return FixedCells(fixed_values(column, dtype), validity(column))
    return _carried(one_array(column), dtype, name)


def _carried(column: pa.Array, dtype: LogicalType, name: str) -> CarriedCells:
    nulls = validity(column)
    try:
        words = carried_words(column)
    except pa.ArrowException as error:
        what = f"a value of column {name!r} cannot be read"
        raise ColumnError(what, arrow_words(error), dtype, where=Where(key=name)) from None
    is_decimal = pa.types.is_decimal(column.type)
    return CarriedCells(words, nulls, FixedCells(to_numbers(column), nulls) if is_decimal else None)
