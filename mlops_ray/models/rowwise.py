"""Arithmetic whose result for a row does not depend on the rows around it.

Matrix products pick another order of additions for another number of rows, and so does numpy's
``sum`` for another memory layout. Here a sum over columns runs from left to right, and ``exp`` sees
contiguous memory only, so the bits of a row are the same alone and among others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["linear_margins", "sigmoid_probabilities", "softmax_probabilities"]

_ROWS_A_BLOCK: Final = 1024  # Bounds the memory of the products; has no effect on the bits.


def linear_margins(
    X: NDArray[np.float32], coefficients: NDArray[np.float64], intercepts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``intercept + x1 * c1 + x2 * c2 + ...`` from left to right, in float64.

    Args:
        X: Feature rows, shape ``(n_rows, n_features)``.
        coefficients: Shape ``(n_outputs, n_features)``.
        intercepts: Shape ``(n_outputs,)``.

    Returns:
        Margins, shape ``(n_rows, n_outputs)``.

    Example:
        >>> linear_margins(np.float32([[1, 2]]), np.array([[3.0, 4.0]]), np.array([5.0]))
        array([[16.]])
    """
    n_rows, n_features = X.shape
    margins = np.empty((n_rows, intercepts.size))
    for start in range(0, n_rows, _ROWS_A_BLOCK):
        rows = X[start : start + _ROWS_A_BLOCK].astype(np.float64)
        terms = np.empty((rows.shape[0], n_features + 1))
        for output, intercept in enumerate(intercepts):
            terms[:, 0] = intercept
            np.multiply(rows, coefficients[output], out=terms[:, 1:])
            margins[start : start + _ROWS_A_BLOCK, output] = _sum_from_left(terms)
    return margins


def sigmoid_probabilities(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of class 0 and class 1 from the log-odds of class 1.

    Args:
        margins: Log-odds, shape ``(n_rows,)``.

    Returns:
        Shape ``(n_rows, 2)``; rows sum to 1.

    Example:
        >>> sigmoid_probabilities(np.array([0.0]))
        array([[0.5, 0.5]])
    """
    # exp of a non-positive number never overflows.
    small = np.exp(-np.abs(np.ascontiguousarray(margins)))
    larger = 1.0 / (1.0 + small)
    smaller = small / (1.0 + small)
    is_one = margins >= 0
    return np.stack([np.where(is_one, smaller, larger), np.where(is_one, larger, smaller)], axis=1)


def softmax_probabilities(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Class probabilities from one margin a class.

    Args:
        margins: Shape ``(n_rows, n_classes)``.

    Returns:
        Shape ``(n_rows, n_classes)``; rows sum to 1 up to rounding.

    Example:
        >>> softmax_probabilities(np.array([[1.0, 1.0]]))
        array([[0.5, 0.5]])
    """
    contiguous = np.ascontiguousarray(margins)
    powers = np.exp(contiguous - contiguous.max(axis=1, keepdims=True, initial=-np.inf))
    probabilities: NDArray[np.float64] = powers / _sum_from_left(powers)[:, np.newaxis]
    return probabilities


def _sum_from_left(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    # Running sums are sequential by definition; ``sum`` may add in pairs.
    running: NDArray[np.float64] = np.add.accumulate(terms, axis=1)
    return running[:, -1]
