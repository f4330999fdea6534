"""One trial: fit on the training rows, score on the validation rows. Ray-free.

The slots of a search do it in many processes; doing it in this one gives the same record.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance, guided
from mlops_ray.models.metrics import score_all
from mlops_ray.search.trial import TrialRecord, failure_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import MetricName, Task
    from mlops_ray.models.estimator import Fitted, Growth, Training
    from mlops_ray.runtime.code_guard import CodeGuard
    from mlops_ray.search.patience import Patience
    from mlops_ray.search.step import Step

__all__ = ["SearchTask", "TrialRows", "TrialRunner", "TrialTask"]

_GROWTHS_BYTES: Final = 256 * 2**20
# What a live booster holds of each training row: margin, gradient, its place in the tree.
_BYTES_A_MARGIN: Final = 24
_BYTES_A_GROWTH: Final = 2**19


class TrialRows(Protocol):
    """The rows of a search as a process has them."""

    @property
    def n_train(self) -> int:
        """Rows that are fitted to."""

    def training(self) -> Training:
        """The training rows, made ready for many fits."""

    def scores(self, fitted: Fitted) -> dict[str, float]:
        """All metrics of the task on the validation rows."""


class TrialTask(Protocol):
    """Everything the trials of a search share, wherever their rows are; see `SearchTask`."""

    @property
    def family(self) -> str: ...  # noqa: D102 - see the class
    @property
    def task(self) -> Task: ...  # noqa: D102 - see the class
    @property
    def n_classes(self) -> int: ...  # noqa: D102 - see the class
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102 - see the class
    @property
    def metric(self) -> MetricName: ...  # noqa: D102 - see the class
    @property
    def threads(self) -> int: ...  # noqa: D102 - see the class
    @property
    def patience(self) -> Patience | None: ...  # noqa: D102 - see the class
    @property
    def guidance(self) -> Guidance: ...  # noqa: D102 - see the class

    def rows(self) -> AbstractContextManager[TrialRows]:
        """Open the rows in this process, for as long as trials run."""


@dataclass(frozen=True, slots=True)
class SearchTask:
    """Everything the trials of a search share, the rows in memory.

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

    @property
    def n_train(self) -> int:
        """Rows that are fitted to."""
        return int(self.y_train.size)

    def rows(self) -> AbstractContextManager[TrialRows]:
        """They are here."""
        return nullcontext(self)

    def training(self) -> Training:
        """See `TrialRows.training`."""
        if self.guard is not None:
            self.guard.check()
        return guided(
            family_named(self.family),
            self.X_train,
            self.y_train,
            self.guidance,
            task=self.task,
            n_classes=self.n_classes,
            threads=self.threads,
        )

    def scores(self, fitted: Fitted) -> dict[str, float]:
        """See `TrialRows.scores`."""
        return score_all(self.task, self.y_valid, fitted.predict(self.X_valid))


class TrialRunner:
    """Runs steps of a search in one process; the training rows are made ready once.

    Args:
        task: What all trials share.
    """

    def __init__(self, task: TrialTask) -> None:
        self._task = task
        self._growths: OrderedDict[int, Growth] = OrderedDict()
        self._opened = ExitStack()

    def close(self) -> None:
        """Let go of the rows; nothing is run after it."""
        self._growths.clear()
        self.__dict__.pop("_training", None)
        self._opened.close()

    def run(self, step: Step) -> TrialRecord:
        """Fit and score one trial, or go on with it to a rung; errors become `failed` records."""
        task, index, params, seed = self._task, step.index, dict(step.params), str(step.seed)
        rungs: tuple[tuple[int, float | None], ...]
        rungs = () if step.rounds is None else ((step.rounds, None),)
        try:
            fitted = self._fitted(step)
            scores = self._rows.scores(fitted)
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
        n_margins = self._rows.n_train * max(1, self._task.n_classes)
        return max(2, _GROWTHS_BYTES // (n_margins * _BYTES_A_MARGIN + _BYTES_A_GROWTH))

    @cached_property
    def _rows(self) -> TrialRows:
        return self._opened.enter_context(self._task.rows())

    @cached_property
    def _training(self) -> Training:
        return self._rows.training()
