"""Search: the trials, drawn in generations and run on Ray Tune."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.features.spool import spool_unit
from mlops_ray.models.feature_roles import guidance_of
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.dealt_folds import dealt_folds
from mlops_ray.pipeline.prepared import labels_of, matrix_of, matrix_plan, state_of
from mlops_ray.pipeline.reported_metrics import metrics_of_trials
from mlops_ray.pipeline.scoring import scoring_of
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.budget import Budget
from mlops_ray.search.cpu_use import CpuUse
from mlops_ray.search.data_share import check_shares, strata_of
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.declared_patience import declared_patience
from mlops_ray.search.fold_table import fold_table
from mlops_ray.search.ledger import open_ledger
from mlops_ray.search.scoreboard import Scoreboard
from mlops_ray.search.searchers.declared import declared_searcher
from mlops_ray.search.streamed_task import StreamedTask
from mlops_ray.search.task import SearchTask
from mlops_ray.search.trial import best_trial, read_trial_table, trial_table
from mlops_ray.search.tuner import run_search

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context
    from mlops_ray.search.folds import Fold
    from mlops_ray.search.halving import Halving
    from mlops_ray.search.trial import TrialRecord
    from mlops_ray.search.trial_rows import TrialTask

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Run the trials; that one of them is valid is checked here.

    Raises:
        DataError: On a fold nothing could be fitted or compared, or rungs have the same rows.
        SearchError: No trial gave a valid result.
    """
    folds = dealt_folds(context)  # What cannot be used is refused before Ray starts.
    _check_shares(context, folds)
    context.means.connect()
    use = CpuUse()
    records = _searched(context, _task(context, folds), use)
    if context.spec.model.is_streamed:
        context.check_unchanged()
    best_trial(records, context.spec.objective.mode)
    outputs = {"trials": context.put("trials", trial_table(records), value=records)}
    rule = context.spec.validation
    if rule is not None:
        outputs["folds"] = context.put("folds", fold_table(folds, rule.folds))
    counts: Counter[str] = Counter(record.status for record in records)
    facts = {"trials": len(records), "finished": 0, **counts, **_cpu_facts(use)}
    return Finished(outputs, "ray_tune", facts)


def _searched(context: Context, task: TrialTask, use: CpuUse) -> list[TrialRecord]:
    objective, decisions = context.spec.objective, context.decisions
    budget = Budget(context.spec.search.budget_s if decisions is None else None)
    agenda = _agenda(context, budget)
    board = Scoreboard(agenda, objective.metric, objective.mode, use, budget)
    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(context.journal)) if context.journal else None
        known = ledger.records if ledger else []
        if known:
            steps = "trials" if context.spec.search.halving is None else "rungs of trials"
            context.progress.note(f"{len(known)} {steps} are known from a search that was cut off")
        return run_search(
            task,
            agenda,
            ledger.append if ledger else lambda _: None,
            lambda record: context.progress.trial_finished(board.standing(record)),
            [*known, *(decisions.known if decisions else ())],
            context.spec.search.timeout_s,
            use,
            context.progress.note,
        )


def _agenda(context: Context, budget: Budget) -> Agenda:
    spec, decisions = context.spec, context.decisions
    search, seed, mode = spec.search, int(spec.seeds["search"]), spec.objective.mode
    searcher = declared_searcher(search, seed, mode)
    if search.warm_start is not None:
        searcher.tell(_earlier_records(context, search.warm_start))
    halving = _halving(context)
    n_trials = search.trials if decisions is None else decisions.n_trials
    return Agenda(searcher, n_trials, search.generation, seed, halving, budget.is_over)


def _halving(context: Context) -> Halving | None:
    spec = context.spec
    return declared_halving(spec.search, spec.model, spec.data.task, spec.objective.mode)


def _check_shares(context: Context, folds: list[Fold]) -> None:
    halving, spec = _halving(context), context.spec
    if halving is None or halving.by != "data_share" or spec.model.is_streamed:
        return  # A table that fits nowhere has more rows than matter here.
    train = matrix_of(context, "train")
    parts = [fold.train for fold in folds] or [np.arange(train.y.size)]
    strata = strata_of(train.y, len(labels_of(context)), train.weights)
    check_shares(halving.rungs, parts, strata)


def _cpu_facts(use: CpuUse) -> dict[str, float]:
    """Of the trials that this process has run; those of an interrupted run are not in it."""
    return {
        "cpus": use.cpus,
        "cpu_asked_s": round(use.asked_s, 3),
        "cpu_used_s": round(use.used_s, 3),
    }


def _earlier_records(context: Context, name: str) -> list[TrialRecord]:
    data = context.store.get(name)
    context.put("warm start", data)  # The run that made it may be removed one day.
    return read_trial_table(data)


def _task(context: Context, folds: list[Fold]) -> TrialTask:
    spec = context.spec
    model, task, labels = spec.model, spec.data.task, labels_of(context)
    shared: dict[str, Any] = {
        "task": task,
        "n_classes": len(labels),
        "params": model.params,
        "metric": spec.objective.metric,
        "threads": model.threads,
        "patience": declared_patience(spec.search, model, task, spec.objective.mode),
        "scoring": scoring_of(context, metrics_of_trials(spec)),
        "share_seed": int(spec.seeds["search"]),
    }
    state = state_of(context)
    if model.is_streamed:
        plan = matrix_plan(context, state, labels, ("train", "valid"))
        work, guidance = context.guarded(spool_unit), guidance_of(model, state, None)
        return StreamedTask(plan, context.units, work, guidance=guidance, **shared)
    train = matrix_of(context, "train")
    has_folds = spec.validation is not None
    valid = train.without_rows() if has_folds else matrix_of(context, "valid")
    return SearchTask(
        X_train=train.X,
        y_train=train.y,
        X_valid=valid.X,
        y_valid=valid.y,
        family=model.family_name,
        guidance=guidance_of(model, state, train.weights),
        guard=context.family_guard,
        folds=folds,
        **shared,
    )
