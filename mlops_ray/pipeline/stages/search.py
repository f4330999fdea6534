"""Search: the trials, drawn in generations and run on Ray Tune."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.prepared import labels_of, matrix_of
from mlops_ray.search.objective import SearchTask
from mlops_ray.search.plan import Plan
from mlops_ray.search.space import RandomSearcher
from mlops_ray.search.trial import best_trial, trial_table
from mlops_ray.search.tuner import run_search

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context
    from mlops_ray.search.trial import TrialRecord
    from mlops_ray.telemetry.progress import Progress

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Run the trials; that one of them is valid is checked here.

    Raises:
        SearchError: No trial gave a valid result.
    """
    spec = context.spec
    context.means.connect()
    seed = int(spec.seeds["search"])
    searcher = RandomSearcher(spec.search.space, seed)
    plan = Plan(searcher, spec.search.trials, spec.search.generation, seed)
    reporter = _TrialReporter(context.progress, plan.n_trials, spec.objective.mode)
    records = run_search(_task(context), plan, on_trial=reporter)
    best_trial(records, spec.objective.mode)
    outputs = {"trials": context.put("trials", trial_table(records), value=records)}
    n_finished = sum(record.status == "finished" for record in records)
    return Finished(outputs, "ray_tune", {"trials": len(records), "finished": n_finished})


def _task(context: Context) -> SearchTask:
    spec = context.spec
    train, valid = matrix_of(context, "train"), matrix_of(context, "valid")
    return SearchTask(
        X_train=train.X,
        y_train=train.y,
        X_valid=valid.X,
        y_valid=valid.y,
        family=spec.model.family,
        task=spec.data.task,
        n_classes=len(labels_of(context)),
        params=spec.model.params,
        metric=spec.objective.metric,
        threads=spec.model.threads,
    )


class _TrialReporter:
    """Tells the progress display of each trial: how many are done, the best, the time left."""

    def __init__(self, progress: Progress, total: int, mode: str) -> None:
        self._progress = progress
        self._total = total
        self._better = max if mode == "max" else min
        self._first_end = 0.0
        self._done = 0
        self._best: float | None = None

    def __call__(self, record: TrialRecord) -> None:
        self._done += 1
        if record.value is not None:
            known = [value for value in (self._best, record.value) if value is not None]
            self._best = self._better(known)
        now = time.monotonic()
        # The first trial also pays the start of the workers; it would make the estimate absurd.
        self._first_end = self._first_end or now
        counted = self._done - 1
        eta_s = (now - self._first_end) / counted * (self._total - self._done) if counted else None
        self._progress.trial_finished(self._done, self._total, record.value, self._best, eta_s)
