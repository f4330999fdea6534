"""One trial: fit on the training rows, score on the validation rows. A pure function, Ray-free.

`search.tuner` calls it in many processes; calling it in this one gives the same record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_ray.models.families import family_named
from mlops_ray.models.metrics import score_all
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.trial import TrialRecord, failure_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import MetricName, Task

__all__ = ["SearchTask", "fit_trial", "trial_seed"]


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
        seed: Seed of the search.
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
    seed: int
    threads: int


def trial_seed(seed: int, index: int) -> int:
    """Seed of the fit of one trial; the refit of the best trial uses it too."""
    return derive(seed, "trial", index)


def fit_trial(task: SearchTask, index: int, params: Mapping[str, Any]) -> TrialRecord:
    """Fit and score one trial; an error of the fit becomes a `failed` record.

    Args:
        task: What all trials share.
        index: Position of the trial in the search.
        params: What was drawn for this trial.
    """
    seed = trial_seed(task.seed, index)
    try:
        fitted = family_named(task.family).fit(
            task.X_train,
            task.y_train,
            {**task.params, **params},
            task=task.task,
            n_classes=task.n_classes,
            seed=seed,
            threads=task.threads,
        )
        scores = score_all(task.task, task.y_valid, fitted.predict(task.X_valid))
    except Exception as error:  # noqa: BLE001 - a search survives whatever its trials die of
        kind, message = type(error).__name__, failure_message(error)
        return TrialRecord(index, dict(params), str(seed), "failed", error=kind, message=message)
    value = scores[task.metric]
    finite = {name: score for name, score in scores.items() if math.isfinite(score)}
    if not math.isfinite(value):
        return TrialRecord(index, dict(params), str(seed), "invalid", metrics=finite)
    return TrialRecord(index, dict(params), str(seed), "finished", value, finite)
