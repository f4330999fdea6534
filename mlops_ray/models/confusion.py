"""Metrics of predicted classes, from how many rows of each class were predicted as which.

Only what occurs in truth or prediction counts as a class, as in scikit-learn, whose values these
are; a share of nothing is 0.

Source: scikit-learn, user guide, 3.4.2 "Classification metrics"; J. Gorodkin, "Comparing two
K-category assignments by a K-category correlation coefficient" (2004), equation 8.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["FROM_CONFUSION"]


def _accuracy(counts: NDArray[np.float64]) -> float:
    return float(np.trace(counts) / counts.sum())


def _shares(counts: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Precision, recall, F1 or Jaccard index of each class."""
    hits, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    whole = {
        "precision": predicted,
        "recall": true,
        "f1": (true + predicted) / 2,
        "jaccard": true + predicted - hits,
    }[kind]
    shares: NDArray[np.float64] = np.divide(hits, whole, out=np.zeros(hits.size), where=whole > 0)
    return shares


def _of_class_one(kind: str, counts: NDArray[np.float64]) -> float:
    return float(_shares(counts, kind)[1])


def _macro(kind: str, counts: NDArray[np.float64]) -> float:
    occurs = counts.sum(axis=1) + counts.sum(axis=0) > 0
    return float(_shares(counts, kind)[occurs].mean())


def _weighted(kind: str, counts: NDArray[np.float64]) -> float:
    return float((_shares(counts, kind) * counts.sum(axis=1)).sum() / counts.sum())


def _balanced_accuracy(counts: NDArray[np.float64]) -> float:
    return float(_shares(counts, "recall")[counts.sum(axis=1) > 0].mean())


def _has_two(counts: NDArray[np.float64]) -> bool:
    return bool(np.count_nonzero(counts.sum(axis=1) + counts.sum(axis=0)) > 1)


def _cohen_kappa(counts: NDArray[np.float64]) -> float:
    if not _has_two(counts):
        return math.nan
    n_rows = counts.sum()
    by_chance = float((counts.sum(axis=1) * counts.sum(axis=0)).sum() / n_rows**2)
    return float((_accuracy(counts) - by_chance) / (1 - by_chance))


def _matthews(counts: NDArray[np.float64]) -> float:
    if not _has_two(counts):
        return math.nan
    n_rows, true, predicted = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    covariance = np.trace(counts) * n_rows - (true * predicted).sum()
    spread = (n_rows**2 - (true**2).sum()) * (n_rows**2 - (predicted**2).sum())
    return float(covariance / math.sqrt(spread)) if spread > 0 else 0.0


FROM_CONFUSION: Final[dict[str, Callable[[NDArray[np.float64]], float]]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "cohen_kappa": _cohen_kappa,
    "matthews_corrcoef": _matthews,
    **{kind: partial(_of_class_one, kind) for kind in ("precision", "recall", "f1", "jaccard")},
    **{f"{kind}_macro": partial(_macro, kind) for kind in ("precision", "recall", "f1", "jaccard")},
    **{f"{kind}_weighted": partial(_weighted, kind) for kind in ("precision", "recall", "f1")},
}
