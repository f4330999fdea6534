"""The metrics a pipeline file may name: direction, tasks, and what they compare the target with.

Names are those of scikit-learn, without ``neg_`` and ``_score``; `models.metrics` computes them. A
metric that is not here is one of the project's own, ``module:function``, and has to be declared
under ``evaluation.functions``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator

from mlops_ray.config.secret_formats import shown

if TYPE_CHECKING:
    from mlops_ray.config.task import Task

__all__ = [
    "IN_A_MODULE",
    "METRICS",
    "Better",
    "Metric",
    "MetricName",
    "Needs",
    "fitting",
    "is_own",
]

Better = Literal["max", "min"]
Needs = Literal["labels", "probabilities", "values"]

IN_A_MODULE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric before it is computed.

    Attributes:
        better: The direction that is better.
        tasks: Tasks it makes sense for.
        needs: What it compares the target with: predicted classes, probabilities, or values.
        is_standard: Whether it is reported where a pipeline file names no metrics.
    """

    better: Better
    tasks: frozenset[Task]
    needs: Needs
    is_standard: bool = False


_BINARY: Final[frozenset[Task]] = frozenset({"binary"})
_SEVERAL: Final[frozenset[Task]] = frozenset({"multiclass"})
_CLASSES: Final[frozenset[Task]] = frozenset({"binary", "multiclass"})
_VALUES: Final[frozenset[Task]] = frozenset({"regression"})

METRICS: Final[dict[str, Metric]] = {
    "roc_auc": Metric("max", _CLASSES, "probabilities", is_standard=True),
    "average_precision": Metric("max", _BINARY, "probabilities", is_standard=True),
    "log_loss": Metric("min", _CLASSES, "probabilities", is_standard=True),
    "accuracy": Metric("max", _CLASSES, "labels", is_standard=True),
    "f1_macro": Metric("max", _CLASSES, "labels", is_standard=True),
    "rmse": Metric("min", _VALUES, "values", is_standard=True),
    "mae": Metric("min", _VALUES, "values", is_standard=True),
    "r2": Metric("max", _VALUES, "values", is_standard=True),
    "roc_auc_ovo": Metric("max", _SEVERAL, "probabilities"),
    "brier": Metric("min", _CLASSES, "probabilities"),
    "balanced_accuracy": Metric("max", _CLASSES, "labels"),
    "f1": Metric("max", _BINARY, "labels"),
    "f1_weighted": Metric("max", _CLASSES, "labels"),
    "precision": Metric("max", _BINARY, "labels"),
    "precision_macro": Metric("max", _CLASSES, "labels"),
    "precision_weighted": Metric("max", _CLASSES, "labels"),
    "recall": Metric("max", _BINARY, "labels"),
    "recall_macro": Metric("max", _CLASSES, "labels"),
    "recall_weighted": Metric("max", _CLASSES, "labels"),
    "jaccard": Metric("max", _BINARY, "labels"),
    "jaccard_macro": Metric("max", _CLASSES, "labels"),
    "matthews_corrcoef": Metric("max", _CLASSES, "labels"),
    "cohen_kappa": Metric("max", _CLASSES, "labels"),
    "mse": Metric("min", _VALUES, "values"),
    "msle": Metric("min", _VALUES, "values"),
    "rmsle": Metric("min", _VALUES, "values"),
    "mape": Metric("min", _VALUES, "values"),
    "median_absolute_error": Metric("min", _VALUES, "values"),
    "max_error": Metric("min", _VALUES, "values"),
    "explained_variance": Metric("max", _VALUES, "values"),
    "d2_absolute_error": Metric("max", _VALUES, "values"),
    "mean_poisson_deviance": Metric("min", _VALUES, "values"),
    "mean_gamma_deviance": Metric("min", _VALUES, "values"),
}


def fitting(task: Task) -> list[str]:
    """Names of the metrics that make sense for a task, sorted.

    Example:
        >>> fitting("multiclass")[:3]
        ['accuracy', 'balanced_accuracy', 'brier']
    """
    return sorted(name for name, metric in METRICS.items() if task in metric.tasks)


def is_own(name: str) -> bool:
    """Whether a metric is one of the project's own, named ``module:function``."""
    return ":" in name


def _known(name: str) -> str:
    if name not in METRICS and not IN_A_MODULE.fullmatch(name):
        known = ", ".join(sorted(METRICS))
        own = "or module:function of the project"
        msg = f"unknown metric {shown(name)}; known: {known}, {own}"
        raise ValueError(msg)
    return name


MetricName = Annotated[str, AfterValidator(_known)]
