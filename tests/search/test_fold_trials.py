"""Trials on folds: each fit once a fold, means of equal weight, halving, the same at any slot."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlops_ray.config.model import ModelConfig
from mlops_ray.config.search import SearchConfig
from mlops_ray.config.validation import ValidationConfig
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import Guidance
from mlops_ray.models.xgboost_family import XGBoostFamily
from mlops_ray.search import fold_fits
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.folds import Fold, deal
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.searchers.declared import declared_searcher
from mlops_ray.search.step import Step, trial_seed
from mlops_ray.search.trial import read_trial_table, trial_table

MODEL = ModelConfig.model_validate({"family": "xgboost", "params": {"n_estimators": 9}})


@pytest.fixture
def task(make_task):
    plain = make_task(params={"n_estimators": 9, "subsample": 0.7})
    units = np.random.default_rng(7).integers(0, 2**64, len(plain.y_train), dtype=np.uint64)
    folds = deal(ValidationConfig(scheme="k_fold", folds=3), units, seed=2)
    nobody = {"X_valid": plain.X_valid[:0], "y_valid": plain.y_valid[:0]}
    return make_task(params=plain.params, folds=folds, **nobody)


def one(task, params, index=0, rounds=None):
    return TrialRunner(task).run(Step(index, params, trial_seed(9, index), rounds))


def test_the_value_is_the_unweighted_mean_over_the_folds(task):
    record = one(task, {"max_depth": 2})

    scores = []
    for fold in task.folds:
        fitted = family_named("xgboost").fit(
            task.X_train[fold.train],
            task.y_train[fold.train],
            {**task.params, "max_depth": 2},
            task="binary",
            n_classes=2,
            seed=trial_seed(9, 0),
            threads=1,
        )
        scored = fitted.predict(task.X_train[fold.valid])[:, 1]
        scores.append(roc_auc_score(task.y_train[fold.valid], scored))
    assert [fold["roc_auc"] for fold in record.folds] == pytest.approx(scores, abs=1e-12)
    assert record.value == pytest.approx(np.mean(scores), abs=1e-15)
    sizes = [len(fold.valid) for fold in task.folds]
    assert len(set(sizes)) > 1  # So that another weight would show.
    assert record.value != pytest.approx(np.average(scores, weights=sizes), abs=1e-6)


def test_rows_are_made_ready_once_a_fold_and_never_once_a_trial(task, monkeypatch):
    prepared = []
    plain = XGBoostFamily.prepare

    def counted(self, X, y, **options):
        prepared.append(len(X))
        return plain(self, X, y, **options)

    monkeypatch.setattr(XGBoostFamily, "prepare", counted)
    runner = TrialRunner(task)

    for index in range(4):
        runner.run(Step(index, {"max_depth": 1 + index}, trial_seed(9, index)))

    assert prepared == [len(fold.train) for fold in task.folds]


def test_a_fold_whose_objective_is_undefined_makes_the_trial_invalid(make_task):
    plain = make_task()
    negative = np.flatnonzero(plain.y_train == 0)[:5]
    others = np.setdiff1d(np.arange(len(plain.y_train)), negative)
    folds = [Fold(others, negative), Fold(others[:70], others[70:])]

    record = one(make_task(folds=folds), {})

    assert record.status == "invalid"
    assert "roc_auc" not in record.metrics
    assert "accuracy" in record.metrics
    assert ["roc_auc" in fold for fold in record.folds] == [False, True]


def test_folds_stand_in_the_trial_table_and_without_any_the_record_is_as_it_was(task, make_task):
    with_folds, without = one(task, {}), one(make_task(), {})

    assert read_trial_table(trial_table([with_folds])) == [with_folds]
    assert b'"folds"' in with_folds.to_bytes()
    assert b'"folds"' not in without.to_bytes()


def _halved(task, seed=3):
    search = SearchConfig.model_validate(
        {
            "space": {"learning_rate": {"log_uniform": [0.01, 1.0]}, "max_depth": {"int": [1, 4]}},
            "trials": 9,
            "generation": 9,
            "halving": {"eta": 3},
        }
    )
    searcher = declared_searcher(search, seed, "max")
    halving = declared_halving(search, MODEL, "binary", "max")
    agenda = Agenda(searcher, search.trials, search.generation, seed, halving)
    runners, turn = [TrialRunner(task), TrialRunner(task)], 0
    while not agenda.is_done:
        for step in reversed(agenda.ready()):
            agenda.tell(runners[turn % 2].run(step))
            turn += 1
    return agenda.records


def test_a_rung_is_the_mean_over_the_folds_at_so_many_rounds(task):
    records = _halved(task)

    for record in records:
        for rounds, value in record.rungs:
            params = {**record.params, "n_estimators": rounds}
            alone = TrialRunner(task).run(Step(record.index, params, int(record.seed)))
            assert value == alone.value
    assert [record.status for record in records].count("finished") == 1
    lengths = sorted(len(record.rungs) for record in records)
    assert lengths == [1, 1, 1, 1, 1, 1, 2, 2, 3]


def test_live_fits_that_were_dropped_do_not_show(task, monkeypatch):
    kept = trial_table(_halved(task))

    monkeypatch.setattr(fold_fits, "_GROWTHS_BYTES", 0)

    assert trial_table(_halved(task)) == kept


def test_weights_of_rows_go_with_them_into_their_folds(task, make_task):
    """A weight of 2 is a row that stands twice, in the folds that fit on it."""
    weights = np.random.default_rng(3).integers(1, 3, len(task.y_train)).astype(np.float64)
    fixed = {"n_estimators": 3, "min_child_weight": 0.0, "tree_method": "hist"}
    guided = make_task(params=fixed, folds=task.folds, guidance=Guidance(weights=weights))
    fold = task.folds[1]
    scores = {}
    for name, given in (("weighted", weights), ("plain", None)):
        prepared = family_named("xgboost").prepare(
            task.X_train[fold.train],
            task.y_train[fold.train],
            guidance=Guidance(weights=None if given is None else given[fold.train]),
            task="binary",
            n_classes=2,
            threads=1,
        )
        p = prepared.fit(fixed, seed=trial_seed(9, 0)).predict(task.X_train[fold.valid])
        scores[name] = log_loss(task.y_train[fold.valid], p[:, 1])

    found = one(guided, {}).folds[1]["log_loss"]

    assert found == pytest.approx(scores["weighted"], rel=1e-6)
    assert found != pytest.approx(scores["plain"], rel=1e-4)
