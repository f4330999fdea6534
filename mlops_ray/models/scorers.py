"""The metrics of the catalogue, each a function of scikit-learn; NaN where it is not defined.

Metrics of labels get the predicted classes, those of probabilities the whole matrix.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["SCORERS", "normalised"]


def normalised(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1: float32 softmax does within 1e-7 only, scikit-learn wants it exact."""
    sums: NDArray[np.float64] = probabilities.sum(axis=1, keepdims=True)
    return probabilities / sums


def _roc_auc(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    """Area of class 1, or the mean over classes against the rest where there are more than two."""
    n_classes = probabilities.shape[1]
    areas = [
        metrics.roc_auc_score(y == label, probabilities[:, label])
        for label in ([1] if n_classes == 2 else range(n_classes))
        if 0 < np.count_nonzero(y == label) < y.size
    ]
    return math.fsum(areas) / len(areas) if areas else math.nan


def _roc_auc_ovo(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    if np.unique(y).size < probabilities.shape[1]:
        return math.nan
    exact = normalised(probabilities)
    return float(metrics.roc_auc_score(y, exact, multi_class="ovo", average="macro"))


def _average_precision(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    if np.unique(y).size < 2:
        return math.nan
    return float(metrics.average_precision_score(y, probabilities[:, 1]))


def _log_loss(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    labels = np.arange(probabilities.shape[1])
    return float(metrics.log_loss(y, normalised(probabilities), labels=labels))


def _brier(y: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    """Mean square of the probability of class 1, or summed over the classes where more than two."""
    exact = normalised(probabilities)
    if probabilities.shape[1] == 2:
        return float(metrics.brier_score_loss(y == 1, exact[:, 1]))
    return float(metrics.brier_score_loss(y, exact, labels=np.arange(exact.shape[1])))


def _balanced_accuracy(y: NDArray[Any], predicted: NDArray[np.intp]) -> float:
    """The mean recall of the classes that occur; scikit-learn's own warns of the others."""
    labels = np.unique(y)
    return float(metrics.recall_score(y, predicted, labels=labels, average="macro"))


def _cohen_kappa(y: NDArray[Any], predicted: NDArray[np.intp]) -> float:
    if np.unique(np.concatenate([y, predicted])).size < 2:
        return math.nan
    return float(metrics.cohen_kappa_score(y, predicted))


def _matthews(y: NDArray[Any], predicted: NDArray[np.intp]) -> float:
    if np.unique(np.concatenate([y, predicted])).size < 2:
        return math.nan
    return float(metrics.matthews_corrcoef(y, predicted))


def _above(
    function: Callable[..., float],
    y_above: float,
    values_above: float,
    y: NDArray[Any],
    values: NDArray[np.float64],
) -> float:
    """A metric that is defined above two bounds, NaN where a number is not."""
    if y.min() <= y_above or values.min() <= values_above:
        return math.nan
    return float(function(y, values))


def _of_two(function: Callable[..., float], y: NDArray[Any], values: NDArray[np.float64]) -> float:
    return float(function(y, values)) if y.size > 1 else math.nan


_BELOW_ZERO: Final = -math.ulp(0.0)  # Nothing lies between it and 0.
_F1 = partial(metrics.f1_score, zero_division=0.0)
_PRECISION = partial(metrics.precision_score, zero_division=0.0)
_RECALL = partial(metrics.recall_score, zero_division=0.0)
_JACCARD = partial(metrics.jaccard_score, zero_division=0.0)

SCORERS: Final[dict[str, Callable[[NDArray[Any], NDArray[Any]], float]]] = {
    "roc_auc": _roc_auc,
    "roc_auc_ovo": _roc_auc_ovo,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _F1,
    "f1_macro": partial(_F1, average="macro"),
    "f1_weighted": partial(_F1, average="weighted"),
    "precision": _PRECISION,
    "precision_macro": partial(_PRECISION, average="macro"),
    "precision_weighted": partial(_PRECISION, average="weighted"),
    "recall": _RECALL,
    "recall_macro": partial(_RECALL, average="macro"),
    "recall_weighted": partial(_RECALL, average="weighted"),
    "jaccard": _JACCARD,
    "jaccard_macro": partial(_JACCARD, average="macro"),
    "matthews_corrcoef": _matthews,
    "cohen_kappa": _cohen_kappa,
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "mse": metrics.mean_squared_error,
    "msle": partial(_above, metrics.mean_squared_log_error, -1.0, -1.0),
    "rmsle": partial(_above, metrics.root_mean_squared_log_error, -1.0, -1.0),
    "mape": metrics.mean_absolute_percentage_error,
    "median_absolute_error": metrics.median_absolute_error,
    "max_error": metrics.max_error,
    "r2": partial(_of_two, metrics.r2_score),
    "explained_variance": partial(_of_two, metrics.explained_variance_score),
    "d2_absolute_error": partial(_of_two, metrics.d2_absolute_error_score),
    "mean_poisson_deviance": partial(_above, metrics.mean_poisson_deviance, _BELOW_ZERO, 0.0),
    "mean_gamma_deviance": partial(_above, metrics.mean_gamma_deviance, 0.0, 0.0),
}
