"""Elementary functions whose bits do not depend on the values around a value.

numpy picks a vector or a scalar implementation by the layout of its input. Contiguous memory gets
the vector one, whose tail runs the same instructions under a mask; `tests/features` compares every
function here alone and at every place among others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["exp", "expm1", "log", "log1p", "log2", "log10", "power", "sqrt"]


def _quietly(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """NaN and infinity stand for what has no value; the steps' policies look at them."""
    with np.errstate(all="ignore"):
        return function(np.ascontiguousarray(values))


def log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm."""
    return _quietly(np.log, values)


def log1p(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm of one more."""
    return _quietly(np.log1p, values)


def log2(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm to base 2."""
    return _quietly(np.log2, values)


def log10(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm to base 10."""
    return _quietly(np.log10, values)


def exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponential."""
    return _quietly(np.exp, values)


def expm1(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponential less one."""
    return _quietly(np.expm1, values)


def sqrt(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root."""
    return _quietly(np.sqrt, values)


def power(
    values: NDArray[np.float64], exponent: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Power with one exponent a value.

    numpy takes shortcuts, such as a product for a square, where it sees one exponent for all
    values: also where there is one value only, which is therefore computed twice.
    """
    base, exponents = (
        np.ascontiguousarray(one, np.float64) for one in np.broadcast_arrays(values, exponent)
    )
    if base.size != 1:
        return _quietly(lambda same: np.power(same, exponents), base)
    pair = _quietly(lambda same: np.power(same, np.repeat(exponents, 2)), np.repeat(base, 2))
    return pair[:1].reshape(base.shape)
