"""Decimals as what they are worth: words for the hash, and the nearest float64 of each.

A decimal is ``m * 10**-s`` with a whole number m that 10 does not divide, so that 1.5 and 1.50 are
one value, whatever precision and scale store it. Values whose unscaled number fits 64 bits are
worked on all at once, others one by one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.mixing import finished, step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decimal_floats", "decimal_words"]

_START: Final = np.frombuffer(
    blake2b(b"mlops-ray/rowhash/v2/decimal", digest_size=16).digest(), "<u8"
)
_LIMB_BITS: Final = 64
_EXACT_INTEGER: Final = 2**53  # Up to here float64 holds every whole number,
_EXACT_POWER: Final = 22  # and up to here every power of ten; so one division rounds correctly.


def decimal_floats(column: pa.Array) -> NDArray[np.float64]:
    """The float64 that is nearest to each value, of two equally near ones the even; NaN for null.

    That is what ``float(text)`` makes of the same digits in Python and in JSON.

    Example:
        >>> decimal_floats(pa.array(["0.10", None]).cast(pa.decimal128(9, 2)))
        array([0.1, nan])
    """
    limbs, scale = _limbs(column), column.type.scale
    low, is_small = limbs[:, 0], _is_small(limbs)
    is_small &= (low <= _EXACT_INTEGER) & (low >= -_EXACT_INTEGER)
    if 0 <= scale <= _EXACT_POWER:
        values = low / np.float64(10**scale)
    else:
        values, is_small = np.empty(low.size), np.zeros(low.size, dtype=np.bool_)
    for at in np.flatnonzero(~is_small):
        unscaled = _whole(limbs[at])
        values[at] = unscaled / 10**scale if scale >= 0 else float(unscaled * 10**-scale)
    if column.null_count:
        values[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values


def decimal_words(column: pa.Array) -> NDArray[np.uint64]:
    """Words of decimals as `docs/fingerprint.md` has them; those of nulls mean nothing.

    Returns:
        Shape ``(2, n_values)``.
    """
    limbs = _limbs(column)
    number, is_small = limbs[:, 0].copy(), _is_small(limbs)
    scales = np.full(number.size, column.type.scale, dtype=np.int64)
    _strip(number, scales)
    states = _started(np.ones(number.size, dtype=np.int64), scales)
    step(states, number.view(np.uint64))
    words = finished(states)
    for at in np.flatnonzero(~is_small):
        words[:, at] = _wide_words(_whole(limbs[at]), column.type.scale)
    return words


def _strip(number: NDArray[np.int64], scales: NDArray[np.int64]) -> None:
    """Take zeros off the end, in place; of 0 the scale becomes 0."""
    scales[number == 0] = 0
    active = np.flatnonzero(number)
    while active.size:
        quotient, rest = np.divmod(number[active], 10)
        active, quotient = active[rest == 0], quotient[rest == 0]
        number[active] = quotient
        scales[active] -= 1


def _wide_words(unscaled: int, scale: int) -> NDArray[np.uint64]:
    while unscaled and unscaled % 10 == 0:
        unscaled, scale = unscaled // 10, scale - 1
    n_limbs = 1
    while not -(1 << (_LIMB_BITS * n_limbs - 1)) <= unscaled < 1 << (_LIMB_BITS * n_limbs - 1):
        n_limbs += 1
    states = _started(np.array([n_limbs]), np.array([scale]))
    for at in range(n_limbs):
        limb = unscaled >> (_LIMB_BITS * at) & (2**_LIMB_BITS - 1)
        step(states, np.array([limb], dtype=np.uint64))
    return finished(states)[:, 0]


def _started(n_limbs: NDArray[np.int64], scales: NDArray[np.int64]) -> NDArray[np.uint64]:
    states = _START[:, np.newaxis] + n_limbs.view(np.uint64)  # Wraps around: modulo 2^64.
    step(states, scales.view(np.uint64))
    return states


def _limbs(column: pa.Array) -> NDArray[np.int64]:
    """The unscaled numbers as 64-bit limbs, the lowest first; shape ``(n_values, n_limbs)``."""
    if column.type.byte_width < _LIMB_BITS // 4:
        column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
    n_limbs = column.type.byte_width // 8
    buffer = column.buffers()[1]
    if buffer is None or not len(column):
        return np.zeros((len(column), n_limbs), dtype=np.int64)
    stored = np.frombuffer(buffer, np.int64).reshape(-1, n_limbs)
    limbs = stored[column.offset : column.offset + len(column)]
    if column.null_count:  # What stands in place of a null may be anything.
        missing = column.is_null().to_numpy(zero_copy_only=False)
        limbs = np.where(missing[:, np.newaxis], np.int64(0), limbs)
    return limbs


def _is_small(limbs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the lowest limb alone holds the number."""
    sign = limbs[:, 0] >> np.int64(63)
    small: NDArray[np.bool_] = (limbs[:, 1:] == sign[:, np.newaxis]).all(axis=1)
    return small


def _whole(limbs: NDArray[Any]) -> int:
    return int.from_bytes(limbs.astype("<i8").tobytes(), "little", signed=True)
