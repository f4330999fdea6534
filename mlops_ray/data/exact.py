"""Exact sums of floats and of their squares: the same bits however the values are grouped.

Every float64 is an integer times a power of two, so sums are kept as Python integers over one
fixed power; rounding happens once, when a mean or a variance is read. To add many values, each is
cut into digits of 20 bits, which lie on a grid that does not depend on the data. Products of two
digits take 38 bits and 2^14 of them add up below 2^53, where float64 itself is exact: so the sum
of squares is a handful of dot products of columns of digits, whatever order they are added in.

Source: after S. Rump, T. Ogita, S. Oishi, "Accurate Floating-Point Summation Part I", SIAM J. Sci.
Comput. 31, 2008 (extraction of leading bits by adding a power of two and taking it away again).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np

from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LIMIT", "MAX_VALUES", "Digits", "ExactSum", "RunningProduct", "RunningSum"]

Digits: TypeAlias = "list[tuple[int, NDArray[np.float64]]]"

LIMIT: Final = 2.0**500  # Values at or above it would let a variance overflow.
_UNIT: Final = 1126  # Sums are kept in units of 2^-1126; any up to 1074 would do.
MAX_VALUES: Final = 2**14
_DIGIT_BITS: Final = 20
_LOWEST_DIGIT: Final = -25  # Products of two digits at it, 2^-1000 and more, are normal floats.
_TINY: Final = 2.0**-400  # Values at or above it have no bits below the lowest digit.
_TINY_DIGIT: Final = -20  # A value without bits at it or below is none of the tiny ones.
_RAISED_BITS: Final = 600  # Tiny values times 2^600 are exact, and below 2^200.
_ONES: Final = np.ones(MAX_VALUES)


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
        largest = float(np.abs(values).max(initial=0.0))
        if not largest < LIMIT:
            raise ColumnError("a value cannot be summed exactly", "NaN, infinity or 2^500 and more")
        running = RunningSum()
        for start in range(0, values.size, MAX_VALUES):
            running.add(values[start : start + MAX_VALUES] + 0.0, largest)  # No -0.0.
        return cls(values.size, *running.sums())

    @classmethod
    def of_constant(cls, value: float, n: int) -> Self:
        """Sums of one value that stands `n` times."""
        one = cls.of(np.array([value]))
        return cls(n, n * one.total, n * one.squares)

    @classmethod
    def of_counts(cls, values: NDArray[np.float64], counts: NDArray[np.int64]) -> ExactSum:
        """Sums of values that stand several times each.

        Example:
            >>> ExactSum.of_counts(np.array([0.1, 5.0]), np.array([3, 1])).mean
            1.325
        """
        found = cls()
        for bit in range(int(counts.max(initial=0)).bit_length()):
            part = cls.of(values[(counts >> bit & 1).astype(np.bool_)])
            found += cls(part.n << bit, part.total << bit, part.squares << bit)
        return found

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


@dataclass(slots=True)
class RunningSum:
    """Adds up values piece by piece."""

    _totals: dict[int, int] = field(default_factory=dict)
    _squares: dict[int, int] = field(default_factory=dict)
    _tiny_totals: dict[int, int] = field(default_factory=dict)

    def add(self, values: NDArray[np.float64], largest: float) -> Digits:
        """Add finite values.

        Args:
            values: At most 2^14 of them, none -0.0; overwritten.
            largest: No value is larger in magnitude; below 2^500.

        Returns:
            Columns that add up to the values, each with the power of two that all of its numbers
            are multiples of; without values below 2^-400, which are 0 there.
        """
        digits, rest = _cut(values, _first_digit(largest), _TINY_DIGIT + 1)
        if rest is not None:
            return self._add_apart(rest, digits)
        self._add_digits(digits)
        return digits

    def sums(self) -> tuple[int, int]:
        """Sum, and sum of squares, in the units of `ExactSum`."""
        total = self.total_of_digits() + _in_units(self._tiny_totals)
        squares = sum(number << 2 * _UNIT + exponent for exponent, number in self._squares.items())
        return total, squares

    def total_of_digits(self) -> int:
        """Sum of what `add` gave back, which is without values below 2^-400."""
        return _in_units(self._totals)

    def _add_digits(self, digits: Digits) -> None:
        for at, (exponent, column) in enumerate(digits):
            _count(self._totals, exponent, float(column.dot(_ONES[: column.size])))
            _count(self._squares, 2 * exponent, float(column.dot(column)))
            for other_exponent, other in digits[at + 1 :]:
                _count(self._squares, exponent + other_exponent, 2 * float(column.dot(other)))

    def _add_apart(self, rest: NDArray[np.float64], digits: Digits) -> Digits:
        """Add values some of which may be so small that products of their digits would underflow.

        Those below one magnitude are kept out of the digits whatever values stand beside them, or a
        sum of products would depend on how rows are cut into pieces.
        """
        for _, column in reversed(digits):
            rest += column  # Back to the values, exactly.
        magnitude = np.abs(rest)
        is_tiny = magnitude < _TINY
        others, _ = _cut(np.where(is_tiny, 0.0, rest), _first_digit(float(magnitude.max())))
        self._add_digits(others)
        tiny, raised = rest[is_tiny] * 2.0**_RAISED_BITS, RunningSum()
        raised._add_digits(_cut(tiny, _first_digit(_TINY * 2.0**_RAISED_BITS))[0])
        for exponent, number in raised._totals.items():
            _add_to(self._tiny_totals, exponent - _RAISED_BITS, number)
        for exponent, number in raised._squares.items():
            _add_to(self._squares, exponent - 2 * _RAISED_BITS, number)
        return others


@dataclass(slots=True)
class RunningProduct:
    """Adds up the products of two columns piece by piece, from the digits of both."""

    _sums: dict[int, int] = field(default_factory=dict)

    def add(self, left: Digits, right: Digits) -> None:
        """Add a piece of at most 2^14 rows."""
        for exponent, column in left:
            for other_exponent, other in right:
                _count(self._sums, exponent + other_exponent, float(column.dot(other)))

    def sum(self) -> int:
        """The sum of the products, in the units of `ExactSum.squares`."""
        return sum(number << 2 * _UNIT + exponent for exponent, number in self._sums.items())


def _cut(
    values: NDArray[np.float64], digit: int, lowest: int = _LOWEST_DIGIT
) -> tuple[Digits, NDArray[np.float64] | None]:
    """Columns of digits, from a first one down, and what is left of the values; None if nothing."""
    digits: Digits = []
    # Bits are looked at faster, and no rest is -0.0.
    while np.count_nonzero(values.view(np.int64)):
        if digit < lowest:
            return digits, values
        # Adding this rounds to multiples of 2^(20 * digit); all three steps are exact.
        magic = 1.5 * 2.0 ** (52 + _DIGIT_BITS * digit)
        column = values + magic
        column -= magic
        values -= column
        digits.append((_DIGIT_BITS * digit, column))
        digit -= 1
    return digits, None


def _in_units(sums: dict[int, int]) -> int:
    return sum(number << _UNIT + exponent for exponent, number in sums.items())


def _first_digit(largest: float) -> int:
    """The lowest digit in which a value of this magnitude is at most 2^19."""
    exponent = math.frexp(largest)[1]
    return -((_DIGIT_BITS - 1 - exponent) // _DIGIT_BITS)


def _count(sums: dict[int, int], exponent: int, value: float) -> None:
    _add_to(sums, exponent, int(math.ldexp(value, -exponent)))


def _add_to(sums: dict[int, int], exponent: int, number: int) -> None:
    sums[exponent] = sums.get(exponent, 0) + number


def _shortened(number: int, exponent: int) -> list[str | int]:
    if not number:
        return ["0", 0]
    zeros = (number & -number).bit_length() - 1
    return [f"{number >> zeros:x}", exponent + zeros]
