"""Halving without a clock: rungs, brackets, who goes on, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.config.model import ModelConfig
from mlops_ray.config.search import SearchConfig
from mlops_ray.config.search_consistency import search_contradictions
from mlops_ray.config.search_space import Dimension
from mlops_ray.errors import SearchError
from mlops_ray.search import fold_fits
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.declared_halving import declared_halving
from mlops_ray.search.dispatch import Dispatch
from mlops_ray.search.halving import Halving, rungs_up_to, shares_down_to
from mlops_ray.search.objective import TrialRunner
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.trial import TrialRecord, best_trial, read_trial_table, trial_table

SPACE = {"x": Dimension.model_validate({"uniform": [0.0, 1.0]})}
NINE = Halving((1, 3, 9), eta=3, n_brackets=1, mode="max")


def make_agenda(halving, n_trials=9, generation=9, seed=3, space=SPACE):
    return Agenda(RandomSearcher(space, seed), n_trials, generation, seed, halving)


def record_of(step, value):
    passed = {"rungs": step.passed(value), "by": step.by}
    status = "failed" if value is None else "finished"
    return TrialRecord(step.index, dict(step.params), str(step.seed), status, value, **passed)


def curve(params, rounds):
    """Learning curves whose order is stable from the second rung on."""
    noise = np.random.default_rng(int(params["x"] * 1e9)).normal() if rounds == 1 else 0.0
    return params["x"] * (1 - 0.5**rounds) + 0.02 * noise


def curve_of_shares(params, share):
    """As `curve`, with more rows in place of more rounds."""
    return curve(params, round(81 * share))


def run(agenda, value=curve, shuffle=None, seen=None):
    waiting = []
    while not agenda.is_done:
        waiting += agenda.ready()
        if shuffle is not None:
            shuffle(waiting)
        step = waiting.pop(0)
        if seen is not None:
            seen.append((step.index, step.rung))
        agenda.tell(record_of(step, value(step.params, step.rung)))
    return agenda.records


def test_the_better_third_goes_on_from_each_rung():
    order = [4, 2, 7, 0, 1, 8, 3, 6, 5]  # Of trials, best first.
    seen = []
    agenda = make_agenda(NINE)
    steps = agenda.ready()
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        seen.append((step.index, step.rounds))
        agenda.tell(record_of(step, -float(order.index(step.index))))
        waiting += agenda.ready()

    records = agenda.records
    assert sorted(seen) == sorted(
        [(i, 1) for i in range(9)] + [(i, 3) for i in (4, 2, 7)] + [(4, 9)]
    )
    assert [r.status for r in records].count("pruned") == 8
    assert records[4].status == "finished"
    assert records[4].rungs == ((1, 0.0), (3, 0.0), (9, 0.0))
    assert records[2].rungs == ((1, -1.0), (3, -1.0))
    assert records[2].value is None
    assert best_trial(records, "max").index == 4


def test_of_equals_the_lowest_index_goes_on():
    records = run(make_agenda(NINE), value=lambda *_: 0.5)

    assert [r.index for r in records if len(r.rungs) == 2] == [1, 2]
    assert [r.index for r in records if r.status == "finished"] == [0]


def test_where_less_is_better_the_lowest_go_on():
    down = Halving((1, 3), eta=3, n_brackets=1, mode="min")

    records = run(make_agenda(down, 3, 3), value=lambda params, _: params["x"])

    lowest = min(records, key=lambda r: r.params["x"])
    assert [r.index for r in records if r.status == "finished"] == [lowest.index]


def test_failed_trials_go_nowhere_and_a_bracket_without_any_other_ends():
    def value(params, rounds):
        return None if params["x"] > 0.2 or rounds == 3 else params["x"]

    records = run(make_agenda(NINE), value=value)

    assert {r.status for r in records} <= {"failed", "pruned"}
    assert len(records) == 9
    with pytest.raises(SearchError):
        best_trial(records, "max")


@pytest.mark.parametrize("n_brackets", [1, 3])
def test_the_order_in_which_steps_end_changes_nothing(n_brackets):
    halving = Halving((1, 3, 9), eta=3, n_brackets=n_brackets, mode="max")
    in_order = trial_table(run(make_agenda(halving, 40, 17)))

    for seed in range(10):
        shuffle = np.random.default_rng(seed).shuffle
        assert trial_table(run(make_agenda(halving, 40, 17), shuffle=shuffle)) == in_order
    assert trial_table(read_trial_table(in_order)) == in_order


def test_other_brackets_keep_slots_busy_while_one_waits():
    halving = Halving((1, 3, 9), eta=3, n_brackets=3, mode="max")

    steps = make_agenda(halving, 17, 17).ready()

    assert [step.rounds for step in steps] == [1] * 9 + [3] * 5 + [9] * 3


@pytest.mark.parametrize(
    ("halving", "value"),
    [
        (Halving(rungs_up_to(81, 1, 3), 3, 5, "max"), curve),
        (Halving(shares_down_to(0.012, 3), 3, 5, "max", "data_share"), curve_of_shares),
    ],
    ids=["rounds", "data_share"],
)
def test_hyperband_finds_the_best_of_what_it_sampled_in_20_of_20_seeds(halving, value):
    size = 81 + 34 + 15 + 8 + 5
    found = 0

    for seed in range(20):
        records = run(make_agenda(halving, size, size, seed), value)
        best = best_trial(records, "max")
        # The curves are in order from the second rung on, so the first may cost a bracket its best.
        found += best.params["x"] == max(record.params["x"] for record in records)

    assert found == 20


def test_a_search_that_was_cut_off_goes_on_with_its_rungs():
    whole, lines = make_agenda(NINE), []
    dispatch = Dispatch(whole, lines.append)
    while not dispatch.is_done:
        step = dispatch.give("a")
        dispatch.take("a", record_of(step, curve(step.params, step.rounds)))

    for n_known in range(len(lines) + 1):
        redone, agenda = [], make_agenda(NINE)
        dispatch = Dispatch(agenda, redone.append, known=lines[:n_known])
        while not dispatch.is_done:
            step = dispatch.give("b")
            dispatch.take("b", record_of(step, curve(step.params, step.rounds)))
        assert trial_table(agenda.records) == trial_table(whole.records)
        assert len(redone) == len(lines) - n_known


def test_a_survivor_is_given_to_the_slot_that_holds_it_and_to_others_where_that_is_quicker():
    halving = Halving((1, 2), eta=2, n_brackets=1, mode="max")
    dispatch = Dispatch(make_agenda(halving, 8, 8), lambda _: None)
    for _ in range(7):  # All by slot a, but the last, worst.
        step = dispatch.give("a")
        dispatch.take("a", record_of(step, 1.0 - step.index))
    last = dispatch.give("b")
    assert dispatch.give("a") is None
    dispatch.take("b", record_of(last, -10.0))

    assert dispatch.give("a").index == 0
    assert dispatch.give("b").index == 3  # Of three that wait, the last.
    dispatch.lose("a")
    assert [dispatch.give(slot).index for slot in "cde"] == [0, 1, 2]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_trial_is_beaten_as_soon_as_it_cannot_go_on(mode):
    rng = np.random.default_rng(3)
    halving = Halving((1, 3, 9), eta=3, n_brackets=1, mode=mode)
    for _ in range(30):
        agenda, seen, beaten = make_agenda(halving, 27, 27), [], []
        waiting = list(agenda.ready())
        rng.shuffle(waiting)
        for n_told in range(1, 28):
            step = waiting.pop()
            agenda.tell(record_of(step, float(rng.integers(6))))  # With ties.
            seen.append(step.index)
            beaten += agenda.take_beaten()
            assert len(beaten) == max(0, n_told - 9)
            assert set(beaten) <= set(seen)
        going_on = {step.index for step in agenda.ready()}
        assert going_on == set(range(27)) - set(beaten)
        assert agenda.take_beaten() == []


def test_live_fits_of_those_that_do_not_go_on_are_dropped_at_once(make_task):
    runner = TrialRunner(make_task(params={"n_estimators": 9}))
    space = {"max_depth": Dimension.model_validate({"int": [1, 5]})}
    agenda, n_live = make_agenda(NINE, 9, 9, 3, space), []
    dispatch = Dispatch(agenda, lambda _: None)
    while not dispatch.is_done:
        step = dispatch.give("a")
        for index in dispatch.over("a"):
            runner.drop(index)
        dispatch.take("a", runner.run(step))
        n_live.append(len(runner._parts[0]._growths))

    # One more than go on: who is beaten is known once the step is told.
    assert n_live == [1, 2, 3, 4, 4, 4, 4, 4, 4, 3, 3, 2, 1]
    assert len(agenda.records) == 9


def test_halved_trials_have_the_bits_of_whole_ones_wherever_they_go_on(make_task, monkeypatch):
    task = make_task(params={"n_estimators": 9, "subsample": 0.5, "colsample_bytree": 0.5})
    space = {"max_depth": Dimension.model_validate({"int": [1, 5]})}

    def table(n_slots, growths_bytes):
        monkeypatch.setattr(fold_fits, "_GROWTHS_BYTES", growths_bytes)
        runners = [TrialRunner(task) for _ in range(n_slots)]
        agenda, number = make_agenda(NINE, 9, 9, 3, space), 0
        while not agenda.is_done:
            for step in agenda.ready():
                number += 1
                agenda.tell(runners[number % n_slots].run(step))
        return agenda.records

    live = table(n_slots=1, growths_bytes=2**30)

    assert trial_table(table(n_slots=3, growths_bytes=0)) == trial_table(live)
    best = best_trial(live, "max")
    whole = Agenda(RandomSearcher(space, 3), 9, 9, 3).ready()[best.index]
    alone = TrialRunner(task).run(whole)
    assert (best.value, best.metrics) == (alone.value, alone.metrics)
    assert len(best.rungs) == 3


def test_shares_are_powers_of_eta_and_none_is_below_the_first():
    assert shares_down_to(0.1, 3) == (1 / 9, 1 / 3, 1.0)
    assert shares_down_to(1 / 27, 3) == (1 / 27, 1 / 9, 1 / 3, 1.0)
    assert shares_down_to(0.5, 2) == (0.5, 1.0)


def test_by_shares_a_step_has_a_share_and_no_rounds():
    halving = Halving(shares_down_to(0.1, 3), 3, 3, "max", "data_share")

    steps = make_agenda(halving, 17, 17).ready()

    assert [step.share for step in steps] == [1 / 9] * 9 + [1 / 3] * 5 + [1.0] * 3
    assert {step.rounds for step in steps} == {None}


@pytest.mark.parametrize(
    ("search", "model", "what"),
    [
        ({}, {"family": "linear"}, "linear does not fit in rounds"),
        (
            {"halving": {"by": "data_share", "min_share": 0.4}},
            {"family": "linear"},
            r"no rung below all training rows.*a first share of at most 0\.3333",
        ),
        (
            {"halving": {"by": "data_share", "brackets": 4}},
            {"family": "linear"},
            r"fewer rungs than brackets.*11\.1 % of the rows, 33\.3 % of the rows, 100 %",
        ),
        (
            {"space": {"n_estimators": {"int": [10, 100]}}},
            {"family": "xgboost"},
            "halving counts n_estimators, which the search space draws",
        ),
        (
            {"halving": {"min_rounds": 50}},
            {"family": "xgboost"},
            "no rung below the rounds of a whole trial",
        ),
        (
            {"halving": {"min_rounds": 10, "brackets": 4}},
            {"family": "hist_gradient_boosting"},
            "fewer rungs than brackets",
        ),
        (
            {"halving": {"min_rounds": 10}, "trials": 22, "generation": 9},
            {"family": "xgboost", "ensemble": {"top": 4}},
            "fewer trials finish than the ensemble takes: got at most 3 of 22, wanted 4 or more",
        ),
    ],
)
def test_halving_that_cannot_be_is_refused(search, model, what):
    declared = SearchConfig.model_validate({"halving": {}, **search})

    with pytest.raises(SearchError, match=what):
        declared_halving(declared, ModelConfig.model_validate(model), "binary", "max")


@pytest.mark.parametrize("n_brackets", [1, 3])
@pytest.mark.parametrize(("n_trials", "generation"), [(1, 9), (22, 9), (60, 27), (54, 27)])
def test_as_many_trials_finish_as_halving_says(n_trials, generation, n_brackets):
    halving = Halving((1, 3, 9), eta=3, n_brackets=n_brackets, mode="max")

    records = run(make_agenda(halving, n_trials, generation))

    finished = [record for record in records if record.status == "finished"]
    assert len(finished) == halving.n_finishing(n_trials, generation)


def test_a_forest_is_halved_by_its_trees_and_an_estimator_without_rounds_is_refused():
    declared = SearchConfig.model_validate({"halving": {}, "generation": 9, "trials": 9})
    forest = {"family": "sklearn", "estimator": "RandomForestClassifier"}
    bayes = {"family": "sklearn", "estimator": "GaussianNB"}

    halving = declared_halving(declared, ModelConfig.model_validate(forest), "binary", "max")

    assert halving is not None
    with pytest.raises(SearchError, match="sklearn:GaussianNB does not fit in rounds"):
        declared_halving(declared, ModelConfig.model_validate(bayes), "binary", "max")


@pytest.mark.parametrize(
    ("space", "model"),
    [
        ({}, {"family": "linear"}),
        ({"n_estimators": {"int": [10, 100]}}, {"family": "xgboost"}),
        ({}, {"family": "xgboost", "params": {"n_estimators": 2}}),
        ({}, {"family": "sklearn", "estimator": "GaussianNB"}),
    ],
)
def test_where_rounds_cannot_be_counted_shares_are_the_way_out(space, model):
    model = ModelConfig.model_validate(model)
    by_rounds = SearchConfig.model_validate({"space": space, "halving": {}})
    by_share = SearchConfig.model_validate({"space": space, "halving": {"by": "data_share"}})

    with pytest.raises(SearchError) as refused:
        declared_halving(by_rounds, model, "binary", "max")

    assert "'search.halving.by: data_share'" in refused.value.hint
    halving = declared_halving(by_share, model, "binary", "max")
    assert halving == Halving((1 / 9, 1 / 3, 1.0), 3, 1, "max", "data_share")


@pytest.mark.parametrize(
    ("halving", "key"),
    [
        ({"by": "data_share", "min_rounds": 5}, "min_rounds"),
        ({"min_share": 0.2}, "min_share"),
    ],
)
def test_what_counts_something_else_is_refused(halving, key):
    search = SearchConfig.model_validate({"halving": halving})

    ((path, _, hint),) = search_contradictions(search)

    assert path == ("search", "halving", key)
    assert "or 'by: rounds'" in hint or "declare 'by: data_share'" in hint


def test_what_is_not_declared_stays_out_of_the_record():
    by_rounds = SearchConfig.model_validate({"halving": {}}).model_dump()["halving"]
    by_share = SearchConfig.model_validate({"halving": {"by": "data_share", "min_share": 0.2}})

    assert by_rounds == {"eta": 3, "min_rounds": 1, "brackets": 1}
    assert by_share.model_dump()["halving"] == {
        "by": "data_share", "eta": 3, "min_rounds": 1, "min_share": 0.2, "brackets": 1,
    }  # fmt: skip


def test_a_generation_that_is_too_small_to_halve_is_refused():
    search = SearchConfig.model_validate(
        {"halving": {"eta": 5}, "trials": 10, "space": {"x": {"int": [1, 9]}}}
    )

    ((path, what, hint),) = search_contradictions(search)

    assert path == ("search", "generation")
    assert "a generation of 4" in what
    assert "5 or more" in hint
