"""Search: the trials, drawn in generations and run on Ray Tune."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.prepared import labels_of, matrix_of
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.ledger import open_ledger
from mlops_ray.search.objective import SearchTask
from mlops_ray.search.searchers.declared import declared_searcher
from mlops_ray.search.trial import best_trial, read_trial_table, trial_table
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
    searcher = declared_searcher(spec.search, seed, spec.objective.mode)
    if spec.search.warm_start is not None:
        searcher.tell(_earlier_records(context, spec.search.warm_start))
    search = spec.search
    halving = declared_halving(search, spec.model, spec.data.task, spec.objective.mode)
    agenda = Agenda(searcher, search.trials, search.generation, seed, halving)
    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(context.journal)) if context.journal else None
        known = ledger.records if ledger else []
        if known:
            steps = "trials" if halving is None else "rungs of trials"
            context.progress.note(f"{len(known)} {steps} are known from a search that was cut off")
        reporter = _TrialReporter(context.progress, agenda, spec.objective.mode)
        keep = ledger.append if ledger else lambda _: None
        records = run_search(_task(context), agenda, keep, reporter, known, search.timeout_s)
    best_trial(records, spec.objective.mode)
    outputs = {"trials": context.put("trials", trial_table(records), value=records)}
    counts: Counter[str] = Counter(record.status for record in records)
    facts = {"trials": len(records), "finished": 0, **counts}
    return Finished(outputs, "ray_tune", facts)


def _earlier_records(context: Context, name: str) -> list[TrialRecord]:
    data = context.store.get(name)
    context.put("warm start", data)  # The run that made it may be removed one day.
    return read_trial_table(data)


def _task(context: Context) -> SearchTask:
    spec = context.spec
    train, valid = matrix_of(context, "train"), matrix_of(context, "valid")
    return SearchTask(
        X_train=train.X,
        y_train=train.y,
        X_valid=valid.X,
        y_valid=valid.y,
        family=spec.model.family_name,
        task=spec.data.task,
        n_classes=len(labels_of(context)),
        params=spec.model.params,
        metric=spec.objective.metric,
        threads=spec.model.threads,
    )


class _TrialReporter:
    """Tells the progress display of each trial: how many are done, the best, the time left."""

    def __init__(self, progress: Progress, agenda: Agenda, mode: str) -> None:
        self._progress = progress
        self._agenda = agenda
        self._better = max if mode == "max" else min
        self._first_end = 0.0
        self._n_before = 0
        self._best: float | None = None

    def __call__(self, record: TrialRecord) -> None:
        now, done, total = time.monotonic(), self._agenda.n_ended, self._agenda.n_trials
        if not self._first_end:
            # The first trial also pays the start of the workers; it would make the estimate absurd.
            self._first_end, self._n_before = now, done
            for known in self._agenda.records:
                self._compare(known.value)
        self._compare(record.value)
        counted = done - self._n_before
        eta_s = (now - self._first_end) / counted * (total - done) if counted else None
        self._progress.trial_finished(done, total, record.value, self._best, eta_s)

    def _compare(self, value: float | None) -> None:
        candidates = [v for v in (self._best, value) if v is not None]
        self._best = self._better(candidates, default=None)
