"""Decimals as what they are worth: words for the hash, and the nearest float64 of each.

A decimal is ``m * 10**-s`` with a whole number m that 10 does not divide, so that 1.5 and 1.50 are
one value, whatever precision and scale store it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.mixing import finished, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decimal_floats", "decimal_words"]

_START: Final = np.frombuffer(
    blake2b(b"mlops-ray/rowhash/v2/decimal", digest_size=16).digest(), "<u8"
)
_EXACT_INTEGER: Final = 2**53  # Up to here float64 holds every whole number,
_EXACT_POWER: Final = 22  # and up to here every power of ten; so one operation rounds correctly.
_POWERS: Final = 10.0 ** np.arange(_EXACT_POWER + 1)
_ZEROS: Final = (8, 4, 2, 1)  # That many are taken off at a time; ten to each is below 2^32.
_HALF_BITS: Final = np.uint64(32)
_SIGN_BIT: Final = np.int64(63)


def decimal_floats(column: pa.Array) -> NDArray[np.float64]:
    """The float64 that is nearest to each value, of two equally near ones the even; NaN for null.

    That is what ``float(text)`` makes of the same digits in Python and in JSON.

    Example:
        >>> decimal_floats(pa.array(["0.10", None]).cast(pa.decimal128(9, 2)))
        array([0.1, nan])
    """
    limbs = _limbs(column)
    scales = np.full(len(limbs), column.type.scale, dtype=np.int64)
    values = np.empty(len(limbs))
    left = _rounded(limbs, scales, values, np.arange(len(limbs)))
    if left.size:  # Zeros at the end, as of 12.5 with a scale of 18, make a number look wide.
        limbs[left], scales[left] = _stripped(limbs[left], scales[left])
        left = _rounded(limbs, scales, values, left)
    for at in left:
        values[at] = _nearest(limbs[at], int(scales[at]))
    if column.null_count:
        values[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values


def decimal_words(column: pa.Array) -> NDArray[np.uint64]:
    """Words of decimals as `docs/fingerprint.md` has them; those of nulls mean nothing.

    Returns:
        Shape ``(2, n_values)``.
    """
    limbs = _limbs(column)
    scales = np.full(len(limbs), column.type.scale, dtype=np.int64)
    low, is_wide = limbs[:, 0], _n_needed(limbs) > 1
    scales[(low == 0) & ~is_wide] = 0
    _strip(low, scales, np.flatnonzero((low != 0) & ~is_wide))
    if is_wide.any():
        limbs[is_wide], scales[is_wide] = _stripped(limbs[is_wide], scales[is_wide])
    return _words(limbs, scales)


def _words(limbs: NDArray[np.int64], scales: NDArray[np.int64]) -> NDArray[np.uint64]:
    n_limbs = _n_needed(limbs)
    words = np.empty((2, len(limbs)), dtype=np.uint64)
    for n in np.unique(n_limbs):
        is_such = n_limbs == n
        rows = slice(None) if is_such.all() else np.flatnonzero(is_such)
        own = scales[rows].view(np.uint64)
        states = np.repeat(_START[:, np.newaxis] + np.uint64(n), own.size, axis=1)
        step(states, own)
        for at in range(n):
            step(states, limbs[rows, at].view(np.uint64))
        words[:, rows] = finished(states)
    return words


def _rounded(
    limbs: NDArray[np.int64],
    scales: NDArray[np.int64],
    values: NDArray[np.float64],
    rows: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Write the values of rows that one division or product gives; returns the other rows."""
    low, scale = limbs[rows, 0], scales[rows]
    fits = (_n_needed(limbs[rows]) == 1) & (np.abs(scale) <= _EXACT_POWER)
    fits &= (low <= _EXACT_INTEGER) & (low >= -_EXACT_INTEGER)
    power = _POWERS[np.where(fits, np.abs(scale), 0)]
    values[rows] = np.where(scale >= 0, low / power, low * power)
    left: NDArray[np.intp] = rows[~fits]
    return left


def _nearest(limbs: NDArray[np.int64], scale: int) -> float:
    """One value, rounded correctly by Python's division of whole numbers."""
    unscaled = int.from_bytes(limbs.astype("<i8").tobytes(), "little", signed=True)
    return unscaled / 10**scale if scale >= 0 else float(unscaled * 10**-scale)


def _strip(number: NDArray[np.int64], scales: NDArray[np.int64], rows: NDArray[np.intp]) -> None:
    """Take zeros off the end of some numbers, in place."""
    while rows.size:
        quotient, rest = np.divmod(number[rows], 10)
        rows, quotient = rows[rest == 0], quotient[rest == 0]
        number[rows] = quotient
        scales[rows] -= 1


def _stripped(
    limbs: NDArray[np.int64], scales: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of any width without zeros at the end, and their scales; 0 stays as it is."""
    negative, magnitude, scales = limbs[:, -1] < 0, limbs.view(np.uint64).copy(), scales.copy()
    magnitude[negative] = _negated(magnitude[negative])
    halves = magnitude.astype("<u8").view("<u4").astype(np.uint64)
    for n_zeros in _ZEROS:
        rows = np.flatnonzero(halves.any(axis=1))
        while rows.size:
            quotient, rest = _divided(halves[rows], np.uint64(10**n_zeros))
            rows, quotient = rows[rest == 0], quotient[rest == 0]
            halves[rows] = quotient
            scales[rows] -= n_zeros
    magnitude = halves[:, ::2] | halves[:, 1::2] << _HALF_BITS
    magnitude[negative] = _negated(magnitude[negative])
    return magnitude.view(np.int64), scales


def _divided(
    halves: NDArray[np.uint64], divisor: np.uint64
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Quotients and rests of numbers of 32-bit digits, the lowest first, by a small one."""
    quotient, rest = np.empty_like(halves), np.zeros(len(halves), dtype=np.uint64)
    for at in reversed(range(halves.shape[1])):
        quotient[:, at], rest = np.divmod(rest << _HALF_BITS | halves[:, at], divisor)
    return quotient, rest


def _negated(limbs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Two's complement: every bit turned, and 1 added, which runs on through limbs of 0."""
    negated, carry = ~limbs, np.ones(len(limbs), dtype=np.bool_)
    for at in range(limbs.shape[1]):
        negated[:, at] += carry
        carry &= negated[:, at] == 0
    return negated


def _limbs(column: pa.Array) -> NDArray[np.int64]:
    """The unscaled numbers as 64-bit limbs, the lowest first; a copy, ``(n_values, n_limbs)``."""
    if not pa.types.is_decimal128(column.type) and not pa.types.is_decimal256(column.type):
        column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
    n_limbs = column.type.byte_width // 8
    buffer = column.buffers()[1]
    if buffer is None or not len(column):
        return np.zeros((len(column), n_limbs), dtype=np.int64)
    stored = np.frombuffer(buffer, np.int64).reshape(-1, n_limbs)
    limbs = stored[column.offset : column.offset + len(column)].copy()
    if column.null_count:  # What stands in place of a null may be anything.
        limbs[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return limbs


def _n_needed(limbs: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many limbs hold each number, as two's complement."""
    needed = np.ones(len(limbs), dtype=np.int64)
    for at in range(1, limbs.shape[1]):
        # A limb is wanted unless it, and all above, are nothing but the sign of the one below.
        needed[limbs[:, at] != limbs[:, at - 1] >> _SIGN_BIT] = at + 1
    return needed
