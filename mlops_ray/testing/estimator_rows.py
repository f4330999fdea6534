"""Rows that estimators are tried on: made up, with a structure that a model can learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["N_CLASSES", "estimator_rows"]

# 12 classes, since numpy adds 8 and more in pairs.
N_CLASSES: Final[dict[Task, int]] = {"binary": 2, "multiclass": 12, "regression": 0}
_N_FEATURES: Final = 23
_N_MARGINS: Final = 12


def estimator_rows(
    task: Task, n_rows: int = 600, *, with_missing: bool = False
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Features and targets, the same for the same arguments.

    Args:
        task: What is to be predicted.
        n_rows: At least 13, so that each class occurs.
        with_missing: Whether a tenth of the cells is NaN.

    Example:
        >>> X, y = estimator_rows("multiclass", 40)
        >>> X.shape, len(set(y.tolist()))
        ((40, 23), 12)
    """
    rng = np.random.default_rng(11)
    X = rng.normal(size=(n_rows, _N_FEATURES)).astype(np.float32)
    margins = X @ rng.normal(size=(_N_FEATURES, _N_MARGINS)).astype(np.float32)
    if task == "regression":
        y: NDArray[Any] = margins[:, 0].astype(np.float64)
    elif task == "binary":
        y = (margins[:, 0] + margins[:, 1] ** 2 > 4).astype(np.int32)
    else:
        chosen = margins[_N_MARGINS:].argmax(axis=1)
        y = np.concatenate([np.arange(_N_MARGINS), chosen]).astype(np.int32)
    if with_missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y
