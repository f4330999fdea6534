"""Scores of predictions, by scikit-learn, under the names a pipeline file uses.

A score that is not defined on the rows at hand (ROC AUC of one class) is NaN, never an error and
never a number: the trial becomes `invalid` and the gate does not pass.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.config.metric_catalogue import METRICS
from mlops_ray.errors import ModelError
from mlops_ray.models.scorers import SCORERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.metric_catalogue import Needs
    from mlops_ray.config.task import Task

__all__ = ["metrics_for", "score", "score_all", "told_by", "wanted_predictions"]


def metrics_for(task: Task) -> list[str]:
    """Names of the metrics that are reported of a task unless others are declared, sorted.

    Example:
        >>> metrics_for("regression")
        ['mae', 'r2', 'rmse']
    """
    return sorted(name for name, m in METRICS.items() if task in m.tasks and m.is_standard)


def score(name: str, y: NDArray[Any], predictions: NDArray[np.float64]) -> float:
    """Score predictions against what happened.

    Args:
        name: A metric of `config.metric_catalogue`.
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
    if name not in METRICS:
        raise ModelError(f"unknown metric {name!r}", wanted=", ".join(sorted(METRICS)))
    wanted = wanted_predictions(name, METRICS[name].needs, y, predictions)
    return math.nan if wanted is None else float(SCORERS[name](y, wanted))


def score_all(
    task: Task,
    y: NDArray[Any],
    predictions: NDArray[np.float64],
    threshold: float | None = None,
) -> dict[str, float]:
    """The standard metrics of a task, by name.

    Args:
        task: What is predicted.
        y: Class indices or values.
        predictions: Probabilities or values.
        threshold: From which probability on the second of two classes is told; metrics of labels
            look at what is told.
    """
    if threshold is not None:
        told = told_by(predictions, threshold)
        return {
            name: score(name, y, told if METRICS[name].needs == "labels" else predictions)
            for name in metrics_for(task)
        }
    return {name: score(name, y, predictions) for name in metrics_for(task)}


def told_by(predictions: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """What is told of two classes: 1 for the one that is, so that metrics of labels look at it."""
    told: NDArray[np.float64] = np.eye(2)[(predictions[:, 1] >= threshold).astype(np.intp)]
    return told


def wanted_predictions(
    name: str, needs: Needs, y: NDArray[Any], predictions: NDArray[np.float64]
) -> NDArray[Any] | None:
    """What a metric compares the target with; None where nothing can be compared.

    Raises:
        ModelError: The shapes do not fit.
    """
    wants_classes = needs != "values"
    if predictions.shape[:1] != y.shape or predictions.ndim != 1 + wants_classes:
        raise ModelError(
            f"{name} cannot compare these shapes", f"{y.shape} and {predictions.shape}"
        )
    if not y.size or not np.isfinite(predictions).all():
        return None
    return predictions.argmax(axis=1) if needs == "labels" else predictions
