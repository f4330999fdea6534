"""What no family can be fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_class_indices", "check_training_inputs"]


def check_training_inputs(
    X: NDArray[np.floating[Any]], y: NDArray[np.int32] | NDArray[np.float64]
) -> None:
    """Refuse inputs of a fit that no family can use.

    Raises:
        ModelError: The matrix has no cells, `y` has another length, or infinities occur.
    """
    if X.ndim != 2 or not X.size or y.shape != X.shape[:1]:
        raise ModelError(
            "a fit needs rows, features and one target a row",
            f"features {X.shape}, targets {y.shape}",
            "(n_rows, n_features) and (n_rows,)",
        )
    if np.isinf(X).any() or not np.isfinite(y).all():
        raise ModelError("the training rows hold infinities or missing targets")


def check_class_indices(y: NDArray[np.int32] | NDArray[np.float64], n_classes: int) -> None:
    """Refuse a training part in which a class never occurs.

    Raises:
        ModelError: The distinct values of `y` are not ``0 .. n_classes - 1``.
    """
    present = np.unique(y)
    if not np.array_equal(present, np.arange(n_classes)):
        raise ModelError(
            "the training rows do not show every class",
            f"{present.size} of {n_classes} classes",
            hint="give the training split a larger share, or drop rows of rare classes",
        )
