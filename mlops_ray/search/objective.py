"""One trial: fit on some of the training rows, score on others. Ray-free.

The slots of a search do it in many processes; doing it in this one gives the same record. With
folds a trial is fitted once a fold, all of them by the same slot, and its score is the mean over
them, each fold counting as much as any other.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mlops_ray.search.fold_fits import FoldFits
from mlops_ray.search.trial import TrialRecord, failure_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.search.step import Step
    from mlops_ray.search.trial_rows import TrialTask

__all__ = ["TrialRunner"]


class TrialRunner:
    """Runs steps of a search in one process; the training rows are made ready once a fold.

    Args:
        task: What all trials share.
    """

    def __init__(self, task: TrialTask) -> None:
        self._task = task
        self._opened = ExitStack()
        self._parts: list[FoldFits] = []

    def close(self) -> None:
        """Let go of the rows; nothing is run after it."""
        self._parts.clear()  # What is fitted to them goes before they do.
        self._opened.close()

    def run(self, step: Step) -> TrialRecord:
        """Fit and score one trial, or go on with it to a rung; errors become `failed` records."""
        index, params, seed = step.index, dict(step.params), str(step.seed)
        passed: dict[str, Any] = {"rungs": step.passed(None), "by": step.by}
        try:
            scored = [part.score(step) for part in self._all_parts()]
        except Exception as error:  # noqa: BLE001 - a search survives whatever its trials die of
            self.drop(index)
            kind, text = type(error).__name__, failure_message(error)
            return TrialRecord(index, params, seed, "failed", error=kind, message=text, **passed)
        folds = tuple(_finite(scores) for scores in scored) if len(scored) > 1 else ()
        means = _finite({name: _mean(scored, name) for name in scored[0]})
        value = means.get(self._task.metric)
        if value is None:
            return TrialRecord(index, params, seed, "invalid", metrics=means, **passed, folds=folds)
        passed["rungs"] = step.passed(value)
        return TrialRecord(index, params, seed, "finished", value, means, **passed, folds=folds)

    def drop(self, index: int) -> None:
        """Forget the live fits of a trial, if there are any."""
        for part in self._parts:
            part.drop(index)

    def _all_parts(self) -> list[FoldFits]:
        """Fold by fold, or the holdout alone."""
        if not self._parts:
            rows = self._opened.enter_context(self._task.rows())
            self._parts = [FoldFits(self._task, of_fold, 1 / len(rows)) for of_fold in rows]
        return self._parts


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: score for name, score in scores.items() if math.isfinite(score)}


def _mean(scored: Sequence[Mapping[str, float]], name: str) -> float:
    """The unweighted mean; NaN where a fold has none."""
    values = [scores[name] for scores in scored]
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
