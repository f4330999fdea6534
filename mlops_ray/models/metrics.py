"""Scores of predictions, by scikit-learn, under the names a pipeline file uses.

A score that is not defined on the rows at hand (ROC AUC of one class) is NaN, never an error and
never a number: the trial becomes `invalid` and the gate does not pass.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn import metrics

from mlops_ray.config.model import METRICS
from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["metrics_for", "score", "score_all"]


_OF_LABELS: Final = ("accuracy", "f1_macro")


def metrics_for(task: Task) -> list[str]:
    """Names of the metrics that make sense for a task, sorted.

    Example:
        >>> metrics_for("regression")
        ['mae', 'r2', 'rmse']
    """
    return sorted(name for name, (_, tasks) in METRICS.items() if task in tasks)


def score(name: str, y: NDArray[Any], predictions: NDArray[np.float64]) -> float:
    """Score predictions against what happened.

    Args:
        name: One of `config.model.METRICS`.
        y: Class indices or values, shape ``(n_rows,)``.
        predictions: Probabilities, shape ``(n_rows, n_classes)``, or values, ``(n_rows,)``.

    Returns:
        The score; NaN where it is not defined on these rows or a prediction is not finite.

    Raises:
        ModelError: There is no such metric, or the shapes do not fit.

    Example:
        >>> score("mae", np.array([1.0, 3.0]), np.array([2.0, 2.0]))
        1.0
    """
    if name not in _SCORERS:
        raise ModelError(f"unknown metric {name!r}", wanted=", ".join(sorted(_SCORERS)))
    wants_classes = "regression" not in METRICS[name][1]
    if predictions.shape[:1] != y.shape or predictions.ndim != 1 + wants_classes:
        raise ModelError(
            f"{name} cannot compare these shapes", f"{y.shape} and {predictions.shape}"
        )
    if not y.size or not np.isfinite(predictions).all():
        return math.nan
    return float(_SCORERS[name](y, predictions))


def score_all(
    task: Task,
    y: NDArray[Any],
    predictions: NDArray[np.float64],
    threshold: float | None = None,
) -> dict[str, float]:
    """All metrics of a task, by name.

    Args:
        task: What is predicted.
        y: Class indices or values.
        predictions: Probabilities or values.
        threshold: From which probability on the second of two classes is told; metrics of labels
            look at what is told.
    """
    scores = {name: score(name, y, predictions) for name in metrics_for(task)}
    if threshold is not None:
        told = np.eye(2)[(predictions[:, 1] >= threshold).astype(np.intp)]
        scores |= {name: score(name, y, told) for name in _OF_LABELS}
    return scores


def _roc_auc(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    """Area of class 1, or the mean over classes against the rest where there are more than two."""
    n_classes = probabilities.shape[1]
    areas = [
        metrics.roc_auc_score(y == label, probabilities[:, label])
        for label in ([1] if n_classes == 2 else range(n_classes))
        if 0 < np.count_nonzero(y == label) < y.size
    ]
    return math.fsum(areas) / len(areas) if areas else math.nan


def _average_precision(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    if np.unique(y).size < 2:
        return math.nan
    return float(metrics.average_precision_score(y, probabilities[:, 1]))


def _log_loss(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    # Float32 softmax sums to 1 only within 1e-7; scikit-learn wants it exact.
    normalised = probabilities / probabilities.sum(axis=1, keepdims=True)
    return float(metrics.log_loss(y, normalised, labels=np.arange(probabilities.shape[1])))


def _accuracy(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    return float(metrics.accuracy_score(y, probabilities.argmax(axis=1)))


def _f1_macro(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    chosen = probabilities.argmax(axis=1)
    return float(metrics.f1_score(y, chosen, average="macro", zero_division=0.0))


def _r2(y: NDArray[Any], values: NDArray[np.float64]) -> float:
    return float(metrics.r2_score(y, values)) if y.size > 1 else math.nan


_SCORERS: Final[dict[str, Callable[[NDArray[Any], NDArray[np.float64]], float]]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "accuracy": _accuracy,
    "f1_macro": _f1_macro,
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "r2": _r2,
}
