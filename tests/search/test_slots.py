"""Slots that ran out of memory: fewer of them, and only who ran alone is to blame."""

from __future__ import annotations

import pytest
from ray.exceptions import OutOfMemoryError

from mlops_ray.config.search_space import Dimension
from mlops_ray.errors import ClusterError
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.dispatch import Dispatch
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.slots import Slots
from mlops_ray.search.trial import TrialRecord

SPACE = {"max_depth": Dimension.model_validate({"int": [1, 9]})}
HUNGRY = 1


def _slots(n, n_trials=4):
    agenda = Agenda(RandomSearcher(SPACE, 3), n_trials, generation=4, seed=3)
    dispatch, notes = Dispatch(agenda, lambda _: None), []
    return Slots(n, dispatch, notes.append), dispatch, agenda, notes


def _give_up(message):
    """As Tune does, whose actors know two kinds of errors."""
    raise RuntimeError(f"Caught unexpected exception: {message}") from OutOfMemoryError(message)


def _work(slots, dispatch):
    """Every slot takes a step; if one of them is hungry all are ended, else all are done."""
    steps = {f"slot {n}": dispatch.give(f"slot {n}") for n in range(slots.n)}
    if any(step is not None and step.index == HUNGRY for step in steps.values()):
        _give_up("2 worker(s) were killed")
    for slot, step in steps.items():
        if step is not None:
            value = {"value": 0.5}
            record = TrialRecord(step.index, dict(step.params), str(step.seed), "finished", **value)
            dispatch.take(slot, record)


def test_what_takes_the_memory_is_found_alone_and_the_others_finish():
    slots, dispatch, agenda, notes = _slots(4)
    sizes = []

    while not dispatch.is_done:
        sizes.append(slots.n)
        with slots.noticing_memory():
            _work(slots, dispatch)

    assert sizes[:3] == [4, 2, 1]
    assert sizes.count(1) == 3 + 3  # Three attempts of it, one of each of the others.
    statuses = ["finished", "out_of_memory", "finished", "finished"]
    assert [record.status for record in agenda.records] == statuses
    assert [note.rpartition(": ")[2] for note in notes] == [
        "from now on 2 configurations at a time",
        "from now on one configuration at a time",
    ]


def test_another_error_comes_out_as_it_is():
    slots, *_ = _slots(2)

    with pytest.raises(RuntimeError, match="something else"), slots.noticing_memory():
        raise RuntimeError("something else")

    assert slots.n == 2


def test_a_single_slot_that_never_begins_ends_the_search():
    slots, *_ = _slots(1)

    for _ in range(2):
        with slots.noticing_memory():
            _give_up("killed")
    with pytest.raises(ClusterError, match="for want of memory"), slots.noticing_memory():
        _give_up("killed")
