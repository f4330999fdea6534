"""Exact sums of floats and of their squares: the same bits however the values are grouped.

Every float64 is an integer times a power of two, so sums are kept as Python integers over one
fixed power. numpy adds the halves of the 53-bit integers per exponent, where float64 itself is
exact; rounding happens once, when a mean or a variance is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LIMIT", "ExactSum"]

LIMIT: Final = 2.0**500  # Values at or above it would let a variance overflow.
_MANTISSA_BITS: Final = 53
_HALF_BITS: Final = 27
_HALF_MASK: Final = 2**_HALF_BITS - 1
_UNIT: Final = 1126  # The smallest float64 is an integer times 2^-1126 with 53 bits.
_CHUNK_ROWS: Final = 2**25  # Sums of halves stay below 2^53.


@dataclass(frozen=True, slots=True)
class ExactSum:
    """Number, sum and sum of squares of values; sums of parts add up exactly.

    Attributes:
        n: Values added.
        total: Sum in units of 2^-1126.
        squares: Sum of squares in units of 2^-2252.

    Example:
        >>> ExactSum.of(np.array([1e16, 1.0, -1e16])).mean == 1 / 3
        True
    """

    n: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """Sums of finite values below 2^500 in magnitude.

        Raises:
            ColumnError: A value is NaN, infinite or too large.
        """
        if values.size and not bool((np.abs(values) < LIMIT).all()):
            raise ColumnError("a value cannot be summed exactly", "NaN, infinity or 2^500 and more")
        total = squares = 0
        for start in range(0, values.size, _CHUNK_ROWS):
            part = values[start : start + _CHUNK_ROWS]
            whole = _small_integers(part)
            total += _sum(part) if whole is None else _sum_int64(whole) << _UNIT
            squares += (
                _sum_squares(part) if whole is None else _sum_int64(whole * whole) << 2 * _UNIT
            )
        return cls(values.size, total, squares)

    @classmethod
    def of_constant(cls, value: float, n: int) -> Self:
        """Sums of one value that stands `n` times."""
        one = cls.of(np.array([value]))
        return cls(n, n * one.total, n * one.squares)

    def __add__(self, other: ExactSum) -> ExactSum:
        """Sums of both parts together."""
        return ExactSum(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """The mean, rounded once; NaN of no values."""
        return self.total / (self.n << _UNIT) if self.n else math.nan

    @property
    def variance(self) -> float:
        """The variance with divisor n, rounded once; NaN of no values."""
        if not self.n:
            return math.nan
        return (self.n * self.squares - self.total**2) / (self.n**2 << 2 * _UNIT)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON: odd hexadecimal integers and their exponents of two."""
        return {
            "n": self.n,
            "total": _shortened(self.total, -_UNIT),
            "squares": _shortened(self.squares, -2 * _UNIT),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        total, at_total = value["total"]
        squares, at_squares = value["squares"]
        return cls(
            value["n"],
            int(total, 16) << at_total + _UNIT,
            int(squares, 16) << at_squares + 2 * _UNIT,
        )


def _shortened(number: int, exponent: int) -> list[str | int]:
    if not number:
        return ["0", 0]
    zeros = (number & -number).bit_length() - 1
    return [f"{number >> zeros:x}", exponent + zeros]


def _small_integers(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The values as integers whose squares fit 64 bits, or None: the common case, made fast."""
    if bool((np.abs(values) < 2.0**31).all()):
        whole = values.astype(np.int64)
        if bool((whole == values).all()):
            return whole
    return None


def _sum_int64(numbers: NDArray[np.int64]) -> int:
    return (int((numbers >> 31).sum()) << 31) + int((numbers & (2**31 - 1)).sum())


def _integers(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Integers below 2^53 and exponents >= 0: ``value = integer * 2**(exponent - 1126)``."""
    mantissa, exponent = np.frexp(values)
    integers = np.ldexp(mantissa, _MANTISSA_BITS).astype(np.int64)
    return integers, exponent.astype(np.int64) - _MANTISSA_BITS + _UNIT


def _sum(values: NDArray[np.float64]) -> int:
    integers, exponents = _integers(values)
    low = _added(integers & _HALF_MASK, exponents)
    return low + (_added(integers >> _HALF_BITS, exponents) << _HALF_BITS)


def _sum_squares(values: NDArray[np.float64]) -> int:
    integers, exponents = _integers(np.abs(values))
    high, low = integers >> _HALF_BITS, integers & _HALF_MASK
    parts = ((high * high, 2 * _HALF_BITS), (high * low, _HALF_BITS + 1), (low * low, 0))
    total = 0
    for products, shift in parts:
        doubled = _added(products & _HALF_MASK, exponents, scale=2)
        doubled += _added(products >> _HALF_BITS, exponents, scale=2) << _HALF_BITS
        total += doubled << shift
    return total


def _added(numbers: NDArray[np.int64], exponents: NDArray[np.int64], scale: int = 1) -> int:
    """Sum of ``number * 2**(scale * exponent)`` of integers below 2^27 in magnitude."""
    if not numbers.size:
        return 0
    lowest = int(exponents.min())
    sums = np.bincount(exponents - lowest, weights=numbers.astype(np.float64))
    filled = np.flatnonzero(sums)
    return sum(int(sums[at]) << scale * (lowest + int(at)) for at in filled)
