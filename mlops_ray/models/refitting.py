"""From chosen trials to what answers: members, their weights, calibration and threshold.

Whatever is decided here is decided on rows that the estimators which answer them have not seen: on
the validation rows by fits to the training rows alone, or on the rows of each fold by fits to those
of the others. Those that answer in the end are fitted to all of them. Ray-free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.features.matrix import join
from mlops_ray.models.assembled import Calibrated
from mlops_ray.models.calibration_fit import fit_calibrator
from mlops_ray.models.decision import cheapest_threshold
from mlops_ray.models.ensemble import Ensemble, Member, mean_of
from mlops_ray.models.ensemble_selection import greedy_weights
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import guided
from mlops_ray.models.metrics import score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.estimator import ModelConfig
    from mlops_ray.config.model import ObjectiveConfig, Task
    from mlops_ray.features.matrix import Matrix
    from mlops_ray.features.target import Target
    from mlops_ray.models.calibration import Calibrator
    from mlops_ray.models.decision import Decision
    from mlops_ray.models.estimator import Fitted, Training
    from mlops_ray.models.guidance import Guidance

__all__ = ["Candidate", "Refit", "RefitTask", "Refitted"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that may answer.

    Attributes:
        index: Its place in the search.
        params: All its parameters.
        seed: Seed of its fit.
    """

    index: int
    params: Mapping[str, Any]
    seed: int


@dataclass(frozen=True, slots=True)
class RefitTask:
    """What is refitted, and to which rows.

    Attributes:
        train: Training rows.
        valid: Validation rows.
        on_valid: Whether the final fits see the validation rows, too.
        candidates: The best trials, the best first.
        model: What was declared of it.
        guidance: What fits are told; the weights are those of each matrix.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        objective: By which members are picked.
        folds: Positions in `train` to fit on and to answer, fold by fold; none where there are
            validation rows.
    """

    train: Matrix
    valid: Matrix
    on_valid: bool
    candidates: tuple[Candidate, ...]
    model: ModelConfig
    guidance: Guidance
    task: Task
    n_classes: int
    objective: ObjectiveConfig
    folds: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows of the final fits."""
        return self.train.n_rows + (self.valid.n_rows if self.on_valid else 0)

    def rows(self) -> Matrix:
        """Rows of the final fits, put together where they are needed: none travels twice."""
        return join([self.train, self.valid]) if self.on_valid else self.train

    def unseen(self) -> Iterator[tuple[Matrix, Matrix]]:
        """Rows to fit on, and others that such a fit has not seen."""
        if not self.folds:
            yield self.train, self.valid
        for fitted, answered in self.folds:
            yield self.train.taken(fitted), self.train.taken(answered)


@dataclass(frozen=True, slots=True)
class Refitted:
    """What answers, and what was decided for it.

    Attributes:
        fitted: What answers.
        members: Index and weight of each trial of an ensemble; empty without one.
        decision: The threshold; None where none was asked for.
    """

    fitted: Fitted
    members: tuple[tuple[int, int], ...]
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class _Outside:
    """Rows as they are answered by fits that have not seen them; once a repeat, fold by fold.

    Attributes:
        answers: Those of each candidate.
        y: Class indices or values.
        weights: How much each row counts; None where all count the same.
    """

    answers: list[NDArray[np.float64]]
    y: Target
    weights: NDArray[np.float64] | None


class Refit:
    """One refit.

    Args:
        task: What is refitted.
    """

    def __init__(self, task: RefitTask) -> None:
        self._task = task

    def run(self) -> Refitted:
        """Decide, then fit.

        Raises:
            ModelError: A fit fails, or the rows that are decided on cannot be calibrated by.
        """
        weights = self._weights()
        used = [(c, n) for c, n in zip(self._task.candidates, weights, strict=True) if n]
        calibrator, decision = self._decide(weights)
        training = self._training(self._task.rows())
        fits = [Member(training.fit(c.params, seed=c.seed), n) for c, n in used]
        is_ensemble = self._task.model.ensemble is not None
        fitted: Fitted = Ensemble(fits) if is_ensemble else fits[0].fitted
        if calibrator is not None:
            fitted = Calibrated(fitted, calibrator)
        members = tuple((c.index, n) for c, n in used) if is_ensemble else ()
        return Refitted(fitted, members, decision)

    def _weights(self) -> list[int]:
        task, declared = self._task, self._task.model.ensemble
        if declared is None or declared.method == "average":
            return [1] * len(task.candidates)
        sign = -1.0 if task.objective.mode == "max" else 1.0

        def loss_of(answers: NDArray[np.float64]) -> float:
            return sign * score(task.objective.metric, self._outside.y, answers)

        return greedy_weights(self._outside.answers, loss_of, declared.picks)

    def _decide(self, weights: list[int]) -> tuple[Calibrator | None, Decision | None]:
        model = self._task.model
        if model.calibration is None and model.threshold is None:
            return None, None
        used = [at for at, n in enumerate(weights) if n]
        seen = self._outside
        told = mean_of([seen.answers[at] for at in used], [weights[at] for at in used])
        calibrator = None
        if model.calibration is not None:
            calibrator = fit_calibrator(model.calibration, told, seen.y, seen.weights)
            told = calibrator.of(told)
        if model.threshold is None:
            return calibrator, None
        return calibrator, cheapest_threshold(told[:, 1], seen.y, model.threshold)

    @cached_property
    def _outside(self) -> _Outside:
        answers: list[list[NDArray[np.float64]]] = [[] for _ in self._task.candidates]
        answered = []
        for fitted, rows in self._task.unseen():
            training = self._training(fitted)
            for candidate, own in zip(self._task.candidates, answers, strict=True):
                own.append(training.fit(candidate.params, seed=candidate.seed).predict(rows.X))
            answered.append(rows)
        weights = [rows.weights for rows in answered if rows.weights is not None]
        return _Outside(
            [np.concatenate(own) for own in answers],
            np.concatenate([rows.y for rows in answered]),
            np.concatenate(weights) if weights else None,
        )

    def _training(self, rows: Matrix) -> Training:
        task = self._task
        return guided(
            family_named(task.model.family_name),
            rows.X,
            rows.y,
            replace(task.guidance, weights=rows.weights),
            task=task.task,
            n_classes=task.n_classes,
            threads=task.model.threads,
        )
