"""Metrics of rows drawn several times, from how often each was drawn: no row is ever copied.

What does not depend on the draw is done once: the sorting of a ranking, the loss of each row, the
cell of the confusion matrix that it falls into. A metric that is no sum over rows, and one of the
project's own, is scored on the drawn rows instead.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from mlops_ray.models.confusion import FROM_CONFUSION
from mlops_ray.models.scorers import normalised

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Kernel", "Score", "kernel"]

Counts: TypeAlias = "NDArray[np.int64]"
Score: TypeAlias = "Callable[[NDArray[Any], NDArray[np.float64]], float]"
Kernel: TypeAlias = "Callable[[NDArray[np.int64]], float]"


def kernel(name: str, y: NDArray[Any], predictions: NDArray[np.float64], score: Score) -> Kernel:
    """A function from counts to the metric of the rows that were drawn so often.

    Args:
        name: A metric.
        y: Class indices or values, shape ``(n_rows,)``.
        predictions: Finite; as for `metrics.score`.
        score: The metric of some rows, for one that has no kernel.
    """
    if name in FROM_CONFUSION:
        return _of_cells(name, y, predictions)
    if name in _LOSSES:
        return _of_losses(_LOSSES[name](y, predictions), _FINISHED.get(name, float))
    if name in _RANKINGS:
        return _RANKINGS[name](y, predictions)
    if name in {"r2", "explained_variance"}:
        return _explained(y, predictions, is_centred=name == "explained_variance")
    return _of_copies(y, predictions, score)


def _of_copies(y: NDArray[Any], predictions: NDArray[np.float64], score: Score) -> Kernel:
    def drawn(counts: Counts) -> float:
        rows = np.repeat(np.arange(y.size), counts)
        return score(y[rows], predictions[rows])

    return drawn


def _of_cells(name: str, y: NDArray[Any], predictions: NDArray[np.float64]) -> Kernel:
    n_classes = predictions.shape[1]
    cells, metric = y * n_classes + predictions.argmax(axis=1), FROM_CONFUSION[name]

    def counted(counts: Counts) -> float:
        found = np.bincount(cells, counts, n_classes * n_classes).astype(np.float64)
        return metric(found.reshape(n_classes, n_classes)) if counts.any() else math.nan

    return counted


def _of_losses(losses: NDArray[np.float64] | None, finish: Callable[[float], float]) -> Kernel:
    def mean(counts: Counts) -> float:
        n_rows = int(counts.sum())
        if losses is None or not n_rows:
            return math.nan
        return finish(float((losses * counts).sum()) / n_rows)

    return mean


def _log_losses(y: NDArray[Any], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    epsilon = np.finfo(np.float64).eps
    exact = np.clip(normalised(probabilities), epsilon, 1 - epsilon)
    losses: NDArray[np.float64] = -np.log(exact[np.arange(y.size), y])
    return losses


def _brier_losses(y: NDArray[Any], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    exact = normalised(probabilities)
    squares = np.square(exact - np.eye(exact.shape[1])[y])
    losses: NDArray[np.float64] = squares[:, 1] if exact.shape[1] == 2 else squares.sum(axis=1)
    return losses


def _squares(y: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    losses: NDArray[np.float64] = np.square(y - values)
    return losses


def _logarithmic(y: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """None where a number is -1 or less: then few draws would be without it."""
    if min(y.min(), values.min()) <= -1:
        return None
    return _squares(np.log1p(y), np.log1p(values))


def _relative(y: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    least = np.finfo(np.float64).eps
    losses: NDArray[np.float64] = np.abs(y - values) / np.maximum(np.abs(y), least)
    return losses


def _explained(y: NDArray[Any], values: NDArray[np.float64], *, is_centred: bool) -> Kernel:
    errors = y - values

    def share(counts: Counts) -> float:
        n_rows = int(counts.sum())
        if n_rows < 2:
            return math.nan
        bias = (errors * counts).sum() / n_rows if is_centred else 0.0
        residual = float((np.square(errors - bias) * counts).sum())
        mean = (y * counts).sum() / n_rows
        total = float((np.square(y - mean) * counts).sum())
        if total == 0.0:
            return 1.0 if residual == 0.0 else 0.0
        return 1.0 - residual / total

    return share


def _area_kernel(y: NDArray[Any], probabilities: NDArray[np.float64]) -> Kernel:
    n_classes = probabilities.shape[1]
    areas = [
        _one_area(y == label, probabilities[:, label])
        for label in ([1] if n_classes == 2 else range(n_classes))
    ]

    def mean(counts: Counts) -> float:
        defined = [area for one in areas if math.isfinite(area := one(counts))]
        return math.fsum(defined) / len(defined) if defined else math.nan

    return mean


def _one_area(is_positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Kernel:
    """Pairs in the right order, ties half; in whole numbers up to the division."""
    places = np.unique(scores, return_inverse=True)[1]

    def area(counts: Counts) -> float:
        positive = np.bincount(places, weights=counts * is_positive).astype(np.int64)
        negative = np.bincount(places, weights=counts * ~is_positive).astype(np.int64)
        n_pairs = int(positive.sum()) * int(negative.sum())
        if not n_pairs:
            return math.nan
        below = np.cumsum(negative) - negative
        return int((positive * (2 * below + negative)).sum()) / (2 * n_pairs)

    return area


def _precision_kernel(y: NDArray[Any], probabilities: NDArray[np.float64]) -> Kernel:
    """Precision at each threshold, weighed by the recall that it adds."""
    places = np.unique(-probabilities[:, 1], return_inverse=True)[1]

    def average(counts: Counts) -> float:
        positive = np.bincount(places, weights=counts * (y == 1))
        both = np.cumsum(np.bincount(places, weights=counts))
        n_positive = positive.sum()
        if n_positive in {0, both[-1]}:
            return math.nan
        hits, reached = np.cumsum(positive), both > 0
        return float((positive[reached] / n_positive * (hits[reached] / both[reached])).sum())

    return average


_LOSSES: Final[dict[str, Callable[..., NDArray[np.float64] | None]]] = {
    "log_loss": _log_losses,
    "brier": _brier_losses,
    "mse": _squares,
    "rmse": _squares,
    "mae": lambda y, values: np.abs(y - values),
    "msle": _logarithmic,
    "rmsle": _logarithmic,
    "mape": _relative,
}
_FINISHED: Final[dict[str, Callable[[float], float]]] = {"rmse": math.sqrt, "rmsle": math.sqrt}
_RANKINGS: Final[dict[str, Callable[..., Kernel]]] = {
    "roc_auc": _area_kernel,
    "average_precision": _precision_kernel,
}
