"""Patience: held against whole fits at every look, and against scikit-learn's early stopping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlops_ray.config.model import ModelConfig
from mlops_ray.config.search import SearchConfig
from mlops_ray.errors import SearchError
from mlops_ray.models.families import family_named
from mlops_ray.search.declared_patience import declared_patience, rounds_of_winner
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.patience import Patience
from mlops_ray.search.patient_runner import PatientRunner, runner_of
from mlops_ray.search.step import Step
from mlops_ray.search.trial import TrialRecord

SAMPLED = {"n_estimators": 60, "subsample": 0.6, "colsample_bytree": 0.6, "learning_rate": 0.5}
MODE = {"roc_auc": "max", "log_loss": "min"}


class _Curve:
    """A runner whose trials follow a given curve."""

    def __init__(self, value_at):
        self.value_at = value_at
        self.looks = []
        self.dropped = []

    def run(self, step):
        self.looks.append(step.rounds)
        value = self.value_at(step.rounds)
        status = "invalid" if value is None else "finished"
        return TrialRecord(step.index, {}, str(step.seed), status, value)

    def drop(self, index):
        self.dropped.append(index)


def _patient(make_task, value_at, patience, **params):
    curve = _Curve(value_at)
    task = make_task(params={"n_estimators": 100, **params}, patience=patience)
    return PatientRunner(curve, task, patience), curve


@pytest.mark.parametrize(
    ("mode", "value_at", "looks", "best"),
    [
        # Better until round 40, then worse: two looks without a better one, and it is over.
        ("max", lambda n: -abs(n - 40), [10, 20, 30, 40, 50, 60], 40),
        ("min", lambda n: abs(n - 40), [10, 20, 30, 40, 50, 60], 40),
        ("max", float, [10 * i for i in range(1, 11)], 100),  # Always better: all rounds.
        ("max", lambda _: 0.5, [10, 20, 30], 10),  # The earliest of equals.
        ("max", lambda n: None if n < 20 else 1.0, [10, 20, 30, 40], 20),
        # A plateau that ends within the patience is gone through.
        ("max", lambda n: n // 20, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 100),
    ],
)
def test_a_trial_ends_when_no_look_within_its_patience_was_better(
    make_task, mode, value_at, looks, best
):
    runner, curve = _patient(make_task, value_at, Patience(20, 10, mode))

    record = runner.run(Step(0, {}, 1))

    assert curve.looks == looks
    assert (record.status, record.rounds, record.value) == ("finished", best, value_at(best))
    assert record.curve == tuple((n, value_at(n)) for n in looks if value_at(n) is not None)
    assert record.rungs == ()
    assert curve.dropped[-1] == 0  # Nothing of a trial that has ended is kept.


def test_a_trial_that_never_has_a_value_ends_too(make_task):
    runner, curve = _patient(make_task, lambda _: None, Patience(20, 10, "max"))

    record = runner.run(Step(0, {}, 1))

    assert (record.status, record.value, record.rounds, record.curve) == ("invalid", None, None, ())
    assert curve.looks == [10, 20]


def test_the_last_look_is_at_the_rounds_that_the_parameters_ask_for(make_task):
    runner, curve = _patient(make_task, float, Patience(50, 40, "max"))

    runner.run(Step(0, {"n_estimators": 90}, 1))

    assert curve.looks == [40, 80, 90]


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_record_is_that_of_the_best_of_whole_fits_with_sampling_on(make_task, metric):
    patience = Patience(15, 5, MODE[metric])
    task = make_task(params=SAMPLED, metric=metric, patience=patience)
    scorer = {"roc_auc": lambda y, p: roc_auc_score(y, p[:, 1]), "log_loss": log_loss}[metric]
    family, sign = family_named("xgboost"), 1 if patience.mode == "max" else -1

    record = runner_of(task).run(Step(3, {"max_depth": 3}, 77))

    wanted = []
    for n_rounds in range(5, 61, 5):
        params = {**SAMPLED, "max_depth": 3, "n_estimators": n_rounds}
        fitted = family.fit(
            task.X_train, task.y_train, params, task="binary", n_classes=2, seed=77, threads=1
        )
        wanted.append((n_rounds, scorer(task.y_valid, fitted.predict(task.X_valid))))
        best = max(wanted, key=lambda look: (sign * look[1], -look[0]))
        if n_rounds - best[0] >= 15:
            break
    assert [n for n, _ in record.curve] == [n for n, _ in wanted]
    assert [v for _, v in record.curve] == pytest.approx([v for _, v in wanted])
    assert record.rounds == best[0] < 60
    assert record.value == dict(record.curve)[best[0]] == record.metrics[metric]


def test_a_fit_of_the_recorded_rounds_has_the_recorded_metrics(make_task):
    task = make_task(params=SAMPLED, patience=Patience(15, 5, "max"))

    record = runner_of(task).run(Step(3, {"max_depth": 3}, 77))

    model = ModelConfig(family="xgboost")
    params = {**record.params, **rounds_of_winner(model, record.rounds)}
    again = TrialRunner(task).run(Step(3, params, 77))
    assert (again.value, again.metrics) == (record.value, record.metrics)
    assert rounds_of_winner(model, None) == {}


def _halved(task, moved=()):
    """The records of a trial at its rungs; before those that are moved another slot takes over."""
    runner, records = runner_of(task), []
    for rung in task.patience.rungs:
        if rung in moved:
            runner = runner_of(task)
        runner.run(Step(9, {"max_depth": 2}, 5, rounds=rung))  # Another trial between.
        records.append(runner.run(Step(3, {"max_depth": 3}, 77, rounds=rung)))
    return records


def test_a_halved_trial_is_the_same_wherever_it_goes_on(make_task):
    task = make_task(params=SAMPLED, patience=Patience(30, 5, "max", rungs=(7, 18, 60)))

    records = _halved(task)

    for record, rung in zip(records, (7, 18, 60), strict=True):
        assert record.rungs == ((rung, record.value),)
        assert record.value == max(value for _, value in record.curve)
    assert [n for n, _ in records[1].curve] == [5, 7, 10, 15, 18]
    for moved in ((18,), (60,), (18, 60)):
        assert _halved(task, moved) == records
    assert [runner_of(task).run(Step(3, {"max_depth": 3}, 77, rounds=60))] == records[2:]


def test_what_was_not_declared_leaves_a_record_as_it_was(make_task):
    step = Step(0, {"max_depth": 2}, 4)

    record = runner_of(make_task()).run(step)

    assert record == TrialRunner(make_task()).run(step)
    assert b'"rounds"' not in record.to_bytes()
    assert b'"curve"' not in record.to_bytes()


def test_a_record_with_looks_is_read_as_it_was_written(make_task):
    record = runner_of(make_task(patience=Patience(2, 1, "max"))).run(Step(0, {}, 4))

    assert record.rounds is not None
    assert TrialRecord.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize("rounds", [None, 10])
def test_parameters_that_cannot_be_used_are_a_failed_trial(make_task, rounds):
    task = make_task(patience=Patience(20, 10, "max"))

    record = runner_of(task).run(Step(0, {"max_depth": -1}, 1, rounds=rounds))

    assert (record.status, record.error) == ("failed", "ModelError")
    assert record.rungs == (() if rounds is None else ((10, None),))


def test_a_fit_that_fails_after_a_good_look_has_failed(make_task):
    class _Breaks(_Curve):
        def run(self, step):
            found = super().run(step)
            return replace(found, status="failed", value=None) if step.rounds == 30 else found

    task = make_task(params={"n_estimators": 100})
    runner = PatientRunner(_Breaks(float), task, Patience(20, 10, "max"))

    record = runner.run(Step(0, {}, 1))

    assert (record.status, record.value, record.rounds) == ("failed", None, None)


def test_an_estimator_without_rounds_is_refused_with_the_way_out():
    search = SearchConfig.model_validate({"patience": {"rounds": 20}})

    with pytest.raises(SearchError, match="does not fit in rounds"):
        declared_patience(search, ModelConfig(family="linear"), "binary", "max")
    found = declared_patience(search, ModelConfig(family="hist_gradient_boosting"), "binary", "min")
    assert found == Patience(20, 10, "min")
    halved = SearchConfig.model_validate({"patience": {"rounds": 20}, "halving": {}})
    found = declared_patience(halved, ModelConfig(family="xgboost"), "binary", "min")
    assert found.rungs == (1, 3, 11, 33, 100)
    assert declared_patience(SearchConfig(), ModelConfig(family="linear"), "binary", "max") is None


def test_looks_of_a_family_that_fits_anew_are_those_of_scikit_learn(make_task):
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    params = {"max_iter": 30, "learning_rate": 0.5}
    patience = Patience(6, 3, "max")
    task = make_task(family="hist_gradient_boosting", params=params, patience=patience)

    record = runner_of(task).run(Step(0, {}, 3))

    whole = HistGradientBoostingClassifier(early_stopping=False, random_state=3, **params)
    whole.fit(task.X_train, task.y_train)
    stages = whole.staged_predict_proba(task.X_valid)
    staged = [roc_auc_score(task.y_valid, p[:, 1]) for p in stages]
    for n_rounds, value in record.curve:
        assert value == pytest.approx(staged[n_rounds - 1], abs=1e-12)
    seen = [staged[n - 1] for n, _ in record.curve]
    assert record.rounds == record.curve[int(np.argmax(seen))][0]
