"""One trial: fit on the training rows, score on the validation rows. Ray-free.

The slots of a search do it in many processes; doing it in this one gives the same record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_ray.models.families import family_named
from mlops_ray.models.metrics import score_all
from mlops_ray.search.trial import TrialRecord, failure_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import MetricName, Task
    from mlops_ray.models.estimator import Training
    from mlops_ray.search.agenda import Step

__all__ = ["SearchTask", "TrialRunner"]


@dataclass(frozen=True, slots=True)
class SearchTask:
    """Everything the trials of a search share.

    Attributes:
        X_train: Rows to fit on, shape ``(n_train, n_features)``.
        y_train: Class indices or values, shape ``(n_train,)``.
        X_valid: Rows to score on, shape ``(n_valid, n_features)``.
        y_valid: Class indices or values, shape ``(n_valid,)``.
        family: Name of the estimator family.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        params: Fixed parameters; what is drawn for a trial goes over them.
        metric: Objective.
        threads: Threads of one fit.
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[np.int32] | NDArray[np.float64]
    X_valid: NDArray[np.float32]
    y_valid: NDArray[np.int32] | NDArray[np.float64]
    family: str
    task: Task
    n_classes: int
    params: Mapping[str, Any]
    metric: MetricName
    threads: int


class TrialRunner:
    """Runs steps of a search in one process; the training rows are made ready once.

    Args:
        task: What all trials share.
    """

    def __init__(self, task: SearchTask) -> None:
        self._task = task

    def run(self, step: Step) -> TrialRecord:
        """Fit and score one trial; an error of the fit becomes a `failed` record."""
        task, params, seed = self._task, dict(step.params), str(step.seed)
        try:
            fitted = self._training.fit({**task.params, **params}, seed=step.seed)
            scores = score_all(task.task, task.y_valid, fitted.predict(task.X_valid))
        except Exception as error:  # noqa: BLE001 - a search survives whatever its trials die of
            kind, message = type(error).__name__, failure_message(error)
            return TrialRecord(step.index, params, seed, "failed", error=kind, message=message)
        value = scores[task.metric]
        finite = {name: score for name, score in scores.items() if math.isfinite(score)}
        if not math.isfinite(value):
            return TrialRecord(step.index, params, seed, "invalid", metrics=finite)
        return TrialRecord(step.index, params, seed, "finished", value, finite)

    @cached_property
    def _training(self) -> Training:
        task = self._task
        return family_named(task.family).prepare(
            task.X_train,
            task.y_train,
            task=task.task,
            n_classes=task.n_classes,
            threads=task.threads,
        )
