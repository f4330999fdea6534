"""Dispatch: a step a slot, and what becomes of the steps of slots that die."""

from __future__ import annotations

import pytest

from mlops_ray.config.search_space import Dimension
from mlops_ray.errors import SearchError
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.dispatch import RESTARTS, Dispatch
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.trial import WORKER_LOST, TrialRecord, best_trial

SPACE = {"max_depth": Dimension.model_validate({"int": [1, 9]})}


def _dispatch(n_trials=4):
    seen = []
    agenda = Agenda(RandomSearcher(SPACE, 3), n_trials, generation=2, seed=3)
    return Dispatch(agenda, seen.append), agenda, seen


def _record(step, value=0.5):
    return TrialRecord(step.index, dict(step.params), str(step.seed), "finished", value)


def test_a_slot_holds_one_step_and_gets_the_next_after_its_record():
    dispatch, agenda, seen = _dispatch(n_trials=3)

    first, second = dispatch.give("a"), dispatch.give("b")
    assert dispatch.give("a") is None
    dispatch.take("a", _record(first))
    third = dispatch.give("a")
    for slot, step in (("a", third), ("b", second)):
        assert not dispatch.is_done
        dispatch.take(slot, _record(step))

    assert dispatch.is_done
    assert [record.index for record in seen] == [0, 2, 1]
    assert [record.index for record in agenda.records] == [0, 1, 2]
    assert dispatch.give("a") is None


def test_the_step_of_a_dead_slot_is_given_to_the_next_one_that_asks():
    dispatch, _, seen = _dispatch()
    dispatch.give("a")
    lost = dispatch.give("b")

    dispatch.lose("b")

    assert dispatch.give("c") == lost
    assert seen == []


def test_a_step_that_kills_every_slot_is_lost_and_the_others_go_on():
    dispatch, agenda, seen = _dispatch(n_trials=2)

    for number in range(RESTARTS + 1):
        assert dispatch.give(f"slot {number}").index == 0
        dispatch.lose(f"slot {number}")

    (record,) = seen
    assert (record.index, record.status, record.error) == (0, "failed", WORKER_LOST)
    assert record.message == "the worker process died 3 times"
    dispatch.take("last", _record(dispatch.give("last")))
    assert [record.status for record in agenda.records] == ["failed", "finished"]


def test_known_records_are_not_made_again_and_those_of_other_trials_are_no_answer():
    whole = Agenda(RandomSearcher(SPACE, 3), 4, generation=4, seed=3)
    steps = whole.ready()
    foreign = TrialRecord(2, {"max_depth": 0}, str(steps[2].seed), "finished", 0.1)
    known = [_record(steps[0]), foreign, _record(steps[3])]
    seen = []
    agenda = Agenda(RandomSearcher(SPACE, 3), 4, generation=2, seed=3)
    dispatch = Dispatch(agenda, seen.append, known=known)

    given = []
    while not dispatch.is_done:
        given.append(dispatch.give("a"))
        dispatch.take("a", _record(given[-1]))

    assert [step.index for step in given] == [1, 2]
    assert [record.index for record in seen] == [1, 2]
    assert agenda.records == [_record(step) for step in steps]


def test_a_search_that_is_known_wholly_has_nothing_to_do():
    whole = Agenda(RandomSearcher(SPACE, 3), 2, generation=2, seed=3)
    agenda = Agenda(RandomSearcher(SPACE, 3), 2, generation=2, seed=3)

    assert Dispatch(agenda, [].append, known=map(_record, whole.ready())).is_done


@pytest.mark.parametrize(
    ("why", "status", "error"),
    [
        ("died", "failed", WORKER_LOST),
        ("timed_out", "timed_out", "TimeoutError"),
        ("out_of_memory", "out_of_memory", "MemoryError"),
    ],
)
def test_what_the_machine_decided_is_told_and_found_again(why, status, error):
    dispatch, agenda, _ = _dispatch(n_trials=1)

    for number in range(RESTARTS + 1):
        dispatch.give(f"slot {number}")
        dispatch.lose(f"slot {number}", why)

    (record,) = agenda.records
    assert (record.status, record.error) == (status, error)
    assert record.is_by_the_machine
    assert TrialRecord.from_bytes(record.to_bytes()) == record
    with pytest.raises(SearchError, match="none of 1 trials") as caught:
        best_trial([record], "max")
    assert record.message in caught.value.got


def test_a_slot_that_dies_with_nothing_to_do_loses_nothing():
    dispatch, _, seen = _dispatch()

    dispatch.lose("a")

    assert seen == []
    assert dispatch.give("b").index == 0
