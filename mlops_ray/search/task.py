"""What all trials of a search share whose rows are in memory. Ray-free."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance, guided
from mlops_ray.models.scoring import Scoring
from mlops_ray.search.data_share import rows_of_share, strata_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from mlops_ray.config.metric_catalogue import MetricName
    from mlops_ray.config.task import Task
    from mlops_ray.models.estimator import Fitted, Training
    from mlops_ray.runtime.code_guard import CodeGuard
    from mlops_ray.search.folds import Fold
    from mlops_ray.search.patience import Patience
    from mlops_ray.search.trial_rows import TrialRows

__all__ = ["SearchTask"]

_STANDARD: Final = Scoring()


@dataclass(frozen=True, slots=True)
class SearchTask:
    """Everything the trials of a search share, the rows in memory.

    Attributes:
        X_train: Rows to fit on, shape ``(n_train, n_features)``.
        y_train: Class indices or values, shape ``(n_train,)``.
        X_valid: Rows to score on, shape ``(n_valid, n_features)``; none where there are folds.
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
        scoring: Which metrics are computed.
        folds: Rows of the training matrix to fit on and to score, fold by fold.
        share_seed: Seed of the order in which shares of the training rows take them.
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
    scoring: Scoring = _STANDARD
    folds: Sequence[Fold] = ()
    share_seed: int = 0

    def rows(self) -> AbstractContextManager[Sequence[TrialRows]]:
        """They are here; see `TrialTask.rows`."""
        return nullcontext([_RowsHere(self, fold) for fold in self.folds] or [_RowsHere(self)])


class _RowsHere:
    """Rows of one fold, or of the holdout.

    Args:
        task: Has the matrices.
        fold: Rows of the training matrix; None for a holdout, which has a matrix of its own.
    """

    def __init__(self, task: SearchTask, fold: Fold | None = None) -> None:
        self._task = task
        self._fold = fold

    def training(self, share: float) -> Training:
        """See `TrialRows.training`."""
        task, rows = self._task, self._fitted_rows(share)
        if task.guard is not None:
            task.guard.check()
        X, y, guidance = task.X_train, task.y_train, task.guidance
        if rows is not None:
            weights = None if guidance.weights is None else guidance.weights[rows]
            X, y, guidance = X[rows], y[rows], replace(guidance, weights=weights)
        return guided(
            family_named(task.family),
            X,
            y,
            guidance,
            task=task.task,
            n_classes=task.n_classes,
            threads=task.threads,
        )

    def _fitted_rows(self, share: float) -> NDArray[np.intp] | None:
        """Positions in the training matrix; None for all of it, which needs no copy."""
        task, fold = self._task, self._fold
        if share == 1.0:
            return None if fold is None else fold.train
        rows = np.arange(task.y_train.size) if fold is None else fold.train
        strata = strata_of(task.y_train, task.n_classes, task.guidance.weights)
        return rows_of_share(rows, share, task.share_seed, strata)

    def scores(self, fitted: Fitted) -> dict[str, float]:
        """See `TrialRows.scores`."""
        X, y = self._scored
        return self._task.scoring.score(self._task.task, y, fitted.predict(X))

    @cached_property
    def _scored(self) -> tuple[NDArray[np.float32], NDArray[np.int32] | NDArray[np.float64]]:
        if self._fold is None:
            return self._task.X_valid, self._task.y_valid
        return self._task.X_train[self._fold.valid], self._task.y_train[self._fold.valid]
