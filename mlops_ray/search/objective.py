"""One trial: fit on the training rows, score on the validation rows. Ray-free.

The slots of a search do it in many processes; doing it in this one gives the same record.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance, guided
from mlops_ray.models.metrics import score_all
from mlops_ray.search.trial import TrialRecord, failure_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import MetricName, Task
    from mlops_ray.models.estimator import Fitted, Growth, Training
    from mlops_ray.runtime.code_guard import CodeGuard
    from mlops_ray.search.patience import Patience
    from mlops_ray.search.step import Step

__all__ = ["SearchTask", "TrialRunner"]

_GROWTHS_BYTES: Final = 256 * 2**20
# What a live booster holds of each training row: margin, gradient, its place in the tree.
_BYTES_A_MARGIN: Final = 24
_BYTES_A_GROWTH: Final = 2**19


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
        patience: When a trial ends that gets no better; None where each makes all its rounds.
        guidance: What the fits are told beside parameters.
        guard: Refuses a family of the project of other code; None where the family is one of ours.
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
    patience: Patience | None = None
    guidance: Guidance = NO_GUIDANCE
    guard: CodeGuard | None = None


class TrialRunner:
    """Runs steps of a search in one process; the training rows are made ready once.

    Args:
        task: What all trials share.
    """

    def __init__(self, task: SearchTask) -> None:
        self._task = task
        self._growths: OrderedDict[int, Growth] = OrderedDict()

    def run(self, step: Step) -> TrialRecord:
        """Fit and score one trial, or go on with it to a rung; errors become `failed` records."""
        task, index, params, seed = self._task, step.index, dict(step.params), str(step.seed)
        rungs: tuple[tuple[int, float | None], ...]
        rungs = () if step.rounds is None else ((step.rounds, None),)
        try:
            fitted = self._fitted(step)
            scores = score_all(task.task, task.y_valid, fitted.predict(task.X_valid))
        except Exception as error:  # noqa: BLE001 - a search survives whatever its trials die of
            self.drop(index)
            kind, text = type(error).__name__, failure_message(error)
            return TrialRecord(index, params, seed, "failed", error=kind, message=text, rungs=rungs)
        value = scores[task.metric]
        finite = {name: score for name, score in scores.items() if math.isfinite(score)}
        if not math.isfinite(value):
            return TrialRecord(index, params, seed, "invalid", metrics=finite, rungs=rungs)
        rungs = () if step.rounds is None else ((step.rounds, value),)
        return TrialRecord(index, params, seed, "finished", value, finite, rungs=rungs)

    def drop(self, index: int) -> None:
        """Forget the live fit of a trial, if there is one."""
        self._growths.pop(index, None)

    def _fitted(self, step: Step) -> Fitted:
        params = {**self._task.params, **step.params}
        if step.rounds is None:
            return self._training.fit(params, seed=step.seed)
        growth = self._growths.pop(step.index, None)
        if growth is None:  # Another slot began it, or it was dropped: the bits are the same.
            growth = self._training.grow(params, seed=step.seed)
        fitted = growth.to(step.rounds)
        self._growths[step.index] = growth
        while len(self._growths) > self._most_growths:
            self._growths.popitem(last=False)
        return fitted

    @cached_property
    def _most_growths(self) -> int:
        """Live fits that are kept; the oldest are dropped and would be fitted anew."""
        n_margins = self._task.y_train.size * max(1, self._task.n_classes)
        return max(2, _GROWTHS_BYTES // (n_margins * _BYTES_A_MARGIN + _BYTES_A_GROWTH))

    @cached_property
    def _training(self) -> Training:
        task = self._task
        if task.guard is not None:
            task.guard.check()
        return guided(
            family_named(task.family),
            task.X_train,
            task.y_train,
            task.guidance,
            task=task.task,
            n_classes=task.n_classes,
            threads=task.threads,
        )
