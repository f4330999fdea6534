"""Rungs by shares of the training rows: which rows they are, and trials that are fitted to them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_ray.config.model import ModelConfig
from mlops_ray.config.search import SearchConfig
from mlops_ray.config.search_space import Dimension
from mlops_ray.config.validation import ValidationConfig
from mlops_ray.errors import DataError
from mlops_ray.models.families import family_named
from mlops_ray.models.guidance import Guidance
from mlops_ray.models.linear_family import LinearFamily
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.data_share import check_shares, rows_of_share, strata_of
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.declared_patience import declared_patience
from mlops_ray.search.dispatch import Dispatch
from mlops_ray.search.folds import deal
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.patience import Patience
from mlops_ray.search.patient_runner import runner_of
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.step import Step, trial_seed
from mlops_ray.search.trial import TrialRecord, best_trial, read_trial_table, trial_table

SHARES = (1 / 9, 1 / 3, 1.0)
LINEAR = ModelConfig.model_validate({"family": "linear"})
SPACE = {"C": {"log_uniform": [1e-3, 10.0]}}


def _classes(n_rows=900, seed=2):
    """Three classes, of which the last has 4 rows."""
    y = np.random.default_rng(seed).permutation([0] * 600 + [1] * 296 + [2] * 4)
    return y[:n_rows].astype(np.int32)


def _nested(rows, strata, seed=5):
    return [rows_of_share(rows, share, seed, strata) for share in SHARES]


def test_each_share_holds_all_smaller_ones_and_the_last_is_all_rows():
    rows = np.arange(900)

    small, medium, whole = _nested(rows, strata_of(_classes(), 3))

    assert set(small) < set(medium) < set(whole)
    assert whole.tolist() == rows.tolist()
    for share in (small, medium):
        assert share.tolist() == sorted(share)
        assert len(set(share)) == len(share)


def test_each_class_has_its_share_and_a_rare_one_is_never_left_out():
    y = _classes()

    small, medium, _ = _nested(np.arange(900), strata_of(y, 3))

    # 600, 296 and 4 rows: a ninth and a third of each, rounded, and one row at least.
    assert np.bincount(y[small]).tolist() == [67, 33, 1]
    assert np.bincount(y[medium]).tolist() == [200, 99, 1]


def test_another_seed_takes_other_rows_and_the_same_seed_the_same():
    rows, strata = np.arange(900), strata_of(_classes(), 3)
    first = _nested(rows, strata)[0]

    assert _nested(rows, strata)[0].tolist() == first.tolist()
    others = [set(_nested(rows, strata, seed)[0]) for seed in (6, 7)]
    # Of two unrelated ninths, a ninth of a ninth is common: 11 rows, give or take some.
    assert all(len(set(first) & other) < 40 for other in others)


def test_rows_are_drawn_without_regard_to_their_place():
    rows, strata = np.arange(90_000), np.zeros(90_000, np.int64)

    share = rows_of_share(rows, 1 / 3, 11, strata)

    assert len(share) == 30_000
    in_tenths = np.bincount(share // 9_000)
    # Standard deviation of a hypergeometric count: sqrt(30000 * 0.1 * 0.9 * 2/3) = 42.
    assert np.abs(in_tenths - 3_000).max() < 5 * 42
    assert abs(int((share % 2).sum()) - 15_000) < 5 * 71


def test_inside_a_fold_shares_are_nested_too_and_take_none_of_its_scored_rows():
    y = _classes()
    units = np.random.default_rng(1).integers(0, 2**64, y.size, dtype=np.uint64)
    folds = deal(ValidationConfig(scheme="k_fold", folds=3), units, seed=4, classes=y)

    for fold in folds:
        small, medium, whole = _nested(fold.train, strata_of(y, 3))
        assert set(small) < set(medium) < set(whole) == set(fold.train)
        assert not set(whole) & set(fold.valid)
        assert len(medium) == pytest.approx(len(fold.train) / 3, abs=2)


def test_rows_of_a_group_that_is_scored_elsewhere_stay_out_of_every_share():
    groups = np.random.default_rng(3).integers(0, 2**64, 60, dtype=np.uint64)[np.arange(900) % 60]
    folds = deal(ValidationConfig(scheme="grouped", folds=4, group="g"), groups, seed=4)

    for fold in folds:
        for share in _nested(fold.train, strata_of(_classes(), 3)):
            assert not set(groups[share].tolist()) & set(groups[fold.valid].tolist())


def test_of_rows_without_weight_and_those_with_it_each_have_their_share():
    y = np.zeros(900, np.int32)
    y[:90] = 1
    weights = np.zeros(900)
    weights[[3, *range(90, 900)]] = 2.0  # A class of which one row counts.

    for share in _nested(np.arange(900), strata_of(y, 2, weights)):
        assert 3 in share
    assert 3 not in _nested(np.arange(900), strata_of(y, 2))[0]


def test_shares_that_are_the_same_rows_are_refused_with_the_way_out():
    strata = strata_of(_classes(), 3)
    check_shares(SHARES, [np.arange(900)], strata)

    with pytest.raises(DataError, match="the same training rows") as refused:
        check_shares((1 / 900, 1 / 300, 1.0), [np.arange(900), np.arange(20)], strata)

    assert refused.value.where.key == "search.halving.min_share"
    assert "2 of 20, at 0.111 % of the rows" in refused.value.got
    assert "raise 'search.halving.min_share'" in refused.value.hint


@pytest.fixture
def fitted_to(monkeypatch):
    """Notes the rows of everything that is made ready."""
    noted = []
    plain = LinearFamily.prepare

    def noting(self, X, y, **options):
        noted.append(X.copy())
        return plain(self, X, y, **options)

    monkeypatch.setattr(LinearFamily, "prepare", noting)
    return noted


@pytest.fixture
def task(make_task):
    return make_task(family="linear", params={}, share_seed=8)


def _agenda(seed=3, n_trials=9, brackets=1, model=LINEAR, space=SPACE, **halving):
    search = SearchConfig.model_validate(
        {
            "space": space,
            "trials": n_trials,
            "generation": 9,
            "halving": {"by": "data_share", "eta": 3, "brackets": brackets, **halving},
        }
    )
    dimensions = {name: Dimension.model_validate(kind) for name, kind in space.items()}
    halved = declared_halving(search, model, "binary", "max")
    return Agenda(RandomSearcher(dimensions, seed), n_trials, 9, seed, halved)


def _run(task, agenda, n_slots=1, order=lambda steps: steps):
    runners, turn = [runner_of(task) for _ in range(n_slots)], 0
    while not agenda.is_done:
        for step in order(agenda.ready()):
            agenda.tell(runners[turn % n_slots].run(step))
            turn += 1
    return agenda.records


def test_a_rung_is_a_fit_to_its_rows_scored_on_all_validation_rows(task, fitted_to):
    runner = TrialRunner(task)

    records = [runner.run(Step(0, {"C": 0.1}, 1, share=share)) for share in SHARES]

    assert [len(X) for X in fitted_to] == [17, 50, 150]
    for record, X, share in zip(records, fitted_to, SHARES, strict=True):
        held = [np.flatnonzero((task.X_train == row).all(axis=1))[0] for row in X]
        y = task.y_train[held]
        options = {"task": "binary", "n_classes": 2, "seed": 1, "threads": 1}
        fitted = family_named("linear").fit(X, y, {"C": 0.1}, **options)
        wanted = roc_auc_score(task.y_valid, fitted.predict(task.X_valid)[:, 1])
        assert record.value == pytest.approx(wanted, abs=1e-12)
        assert record.rungs == ((share, record.value),)
        assert set(np.unique(y)) == {0, 1}
    whole = TrialRunner(task).run(Step(0, {"C": 0.1}, 1))
    assert (records[-1].value, records[-1].metrics) == (whole.value, whole.metrics)


def test_rows_are_made_ready_once_a_share_and_never_once_a_trial(task, fitted_to):
    records = _run(task, _agenda())

    assert [len(X) for X in fitted_to] == [17, 50, 150]
    rows = [{row.tobytes() for row in X} for X in fitted_to]
    assert rows[0] < rows[1] < rows[2]
    assert sorted(len(record.rungs) for record in records) == [1] * 6 + [2] * 2 + [3]


@pytest.mark.parametrize("brackets", [1, 3])
def test_the_table_is_the_same_for_any_slots_and_any_order(task, brackets):
    table = trial_table(_run(task, _agenda(brackets=brackets)))

    for n_slots in (2, 4):
        for seed in range(3):
            shuffle = np.random.default_rng(seed).permutation
            order = lambda steps, shuffle=shuffle: [steps[at] for at in shuffle(len(steps))]  # noqa: E731
            found = _run(task, _agenda(brackets=brackets), n_slots, order)
            assert trial_table(found) == table
    assert trial_table(_run(task, _agenda(seed=4, brackets=brackets))) != table
    assert trial_table(read_trial_table(table)) == table


def test_other_rows_give_another_table(task, make_task):
    other = make_task(family="linear", params={}, share_seed=9)

    assert trial_table(_run(other, _agenda())) != trial_table(_run(task, _agenda()))
    again = make_task(family="linear", params={}, share_seed=8)
    assert trial_table(_run(again, _agenda())) == trial_table(_run(task, _agenda()))


def test_a_search_that_was_cut_off_goes_on_with_its_rungs(task):
    lines, agenda, runner = [], _agenda(), TrialRunner(task)
    dispatch = Dispatch(agenda, lines.append)
    while not dispatch.is_done:
        dispatch.take("a", runner.run(dispatch.give("a")))
    table = trial_table(agenda.records)
    lines = [read_trial_table(record.to_bytes())[0] for record in lines]  # As a ledger has them.

    for n_known in range(0, len(lines) + 1, 4):
        redone, agenda = [], _agenda()
        dispatch = Dispatch(agenda, redone.append, known=lines[:n_known])
        while not dispatch.is_done:
            dispatch.take("b", runner.run(dispatch.give("b")))
        assert trial_table(agenda.records) == table
        assert len(redone) == len(lines) - n_known


def test_a_survivor_waits_for_no_slot_since_nothing_of_it_lives_on():
    dispatch = Dispatch(_agenda(n_trials=9), lambda _: None)
    runs = {}
    while len(runs) < 9:
        step = dispatch.give("a")
        runs[step.index] = step
        dispatch.take("a", _record_of(step))

    assert {dispatch.give(slot).index for slot in "bcd"} == {0, 1, 2}


def _record_of(step):
    value = 1.0 - step.index / 10
    rungs = step.passed(value)
    return TrialRecord(
        step.index, dict(step.params), str(step.seed), "finished", value, rungs=rungs, by=step.by
    )


def test_a_slot_that_is_lost_three_times_leaves_a_record_of_its_rung():
    lines = []
    dispatch = Dispatch(_agenda(), lines.append)
    for slot in "abc":
        assert dispatch.give(slot).index == 0
        dispatch.lose(slot)

    assert (lines[0].status, lines[0].rungs, lines[0].by) == (
        "failed",
        ((1 / 9, None),),
        "data_share",
    )


def test_with_folds_a_rung_is_the_mean_over_them_on_nested_rows(task, make_task, fitted_to):
    units = np.random.default_rng(7).integers(0, 2**64, len(task.y_train), dtype=np.uint64)
    folds = deal(ValidationConfig(scheme="k_fold", folds=3), units, seed=2)
    nobody = {"X_valid": task.X_valid[:0], "y_valid": task.y_valid[:0]}
    folded = make_task(family="linear", params={}, folds=folds, share_seed=8, **nobody)

    records = _run(folded, _agenda())

    assert len(fitted_to) == 9  # Once a fold and share.
    for number, fold in enumerate(folds):
        rows = [{row.tobytes() for row in X} for X in fitted_to[number::3]]
        assert rows[0] < rows[1] < rows[2] == {row.tobytes() for row in task.X_train[fold.train]}
    best = best_trial(records, "max")
    assert best.value == pytest.approx(np.mean([fold["roc_auc"] for fold in best.folds]))
    assert trial_table(_run(folded, _agenda(), 2, lambda steps: steps[::-1])) == trial_table(
        records
    )


def test_weights_go_with_their_rows(task, make_task):
    weights = np.random.default_rng(3).integers(1, 3, len(task.y_train)).astype(np.float64)
    guided = make_task(family="linear", params={}, share_seed=8, guidance=Guidance(weights=weights))
    rows = rows_of_share(
        np.arange(len(task.y_train)), 1 / 3, 8, strata_of(task.y_train, 2, weights)
    )
    scores = {}
    for name, given in (("weighted", weights[rows]), ("plain", None)):
        prepared = family_named("linear").prepare(
            task.X_train[rows],
            task.y_train[rows],
            task="binary",
            n_classes=2,
            threads=1,
            guidance=Guidance(weights=given),
        )
        fitted = prepared.fit({"C": 0.5}, seed=1)
        scores[name] = fitted.predict(task.X_valid)[:, 1]

    record = TrialRunner(guided).run(Step(0, {"C": 0.5}, 1, share=1 / 3))

    wanted = {k: -np.log(np.where(task.y_valid == 1, p, 1 - p)).mean() for k, p in scores.items()}
    assert record.metrics["log_loss"] == pytest.approx(wanted["weighted"], rel=1e-9)
    assert record.metrics["log_loss"] != pytest.approx(wanted["plain"], rel=1e-6)


def test_patience_looks_at_each_share_from_the_first_round_on(make_task):
    model = ModelConfig.model_validate({"family": "xgboost", "params": {"n_estimators": 30}})
    search = SearchConfig.model_validate(
        {"halving": {"by": "data_share"}, "patience": {"rounds": 4, "every": 2}}
    )
    patience = declared_patience(search, model, "binary", "max")
    task = make_task(params=model.params, patience=patience, share_seed=8)
    alone = {}
    for share in SHARES:
        rows = rows_of_share(np.arange(150), share, 8, strata_of(task.y_train, 2))
        part = {"X_train": task.X_train[rows], "y_train": task.y_train[rows]}
        fitted = make_task(params=model.params, patience=patience, **part)
        alone[share] = runner_of(fitted).run(Step(0, {"max_depth": 3}, 5))

    runner = runner_of(task)
    records = [runner.run(Step(0, {"max_depth": 3}, 5, share=share)) for share in SHARES]

    assert patience == Patience(4, 2, "max")
    for record, share in zip(records, SHARES, strict=True):
        assert record.rungs == ((share, alone[share].value),)
        assert (record.rounds, record.curve) == (alone[share].rounds, alone[share].curve)
    assert len({record.curve for record in records}) == 3


def test_records_say_that_their_rungs_are_shares_and_others_are_as_they_were(task):
    table = trial_table(_run(task, _agenda()))
    runner = TrialRunner(task)

    assert b'"shares":[[0.1111111111111111,' in table
    assert b'"rungs"' not in table
    assert {record.by for record in read_trial_table(table)} == {"data_share"}
    plain = runner.run(Step(0, {}, trial_seed(1, 0)))
    assert b'"by"' not in plain.to_bytes()
    assert (plain.rungs, plain.by) == ((), "rounds")


@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        ("RandomForestClassifier", {"max_depth": {"int": [1, 6]}}),
        ("GaussianNB", {"var_smoothing": {"log_uniform": [1e-9, 1.0]}}),
    ],
)
def test_estimators_of_scikit_learn_are_halved_by_shares(make_task, estimator, space):
    params = {"n_estimators": 5} if "Forest" in estimator else {}
    declared = {"family": "sklearn", "estimator": estimator, "params": params}
    model = ModelConfig.model_validate(declared)
    task = make_task(family=model.family_name, params=params, share_seed=8)

    records = _run(task, _agenda(model=model, space=space))

    assert sorted(len(record.rungs) for record in records) == [1] * 6 + [2] * 2 + [3]
    best = best_trial(records, "max")
    alone = TrialRunner(task).run(Step(best.index, best.params, int(best.seed)))
    assert (best.value, best.metrics) == (alone.value, alone.metrics)
    for record in records:
        for (before, _), (after, _) in itertools.pairwise(record.rungs):
            assert after == pytest.approx(3 * before)
