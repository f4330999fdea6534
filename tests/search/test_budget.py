"""The time of a search, and a second execution that ends where the first one did."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.config.search_space import Dimension
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.budget import Budget
from mlops_ray.search.cpu_use import CpuUse
from mlops_ray.search.decisions import decisions_of
from mlops_ray.search.dispatch import RESTARTS, Dispatch
from mlops_ray.search.halving import Halving
from mlops_ray.search.scoreboard import Scoreboard
from mlops_ray.search.searchers.optuna import OptunaSearcher
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.trial import TrialRecord, trial_table

SPACE = {"x": Dimension.model_validate({"uniform": [0.0, 1.0]})}
HALVING = Halving((2, 6), eta=3, n_brackets=1, mode="max")


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _searcher(name):
    return RandomSearcher(SPACE, 3) if name == "random" else OptunaSearcher(SPACE, 3, "max", "tpe")


def _record(step):
    value = step.params["x"] + 0.001 * (step.rounds or 0)
    rungs = () if step.rounds is None else ((step.rounds, value),)
    return TrialRecord(
        step.index, dict(step.params), str(step.seed), "finished", value, rungs=rungs
    )


def _run(dispatch, rng, loss=0.0, after_step=lambda: None):
    """Two slots that take turns by chance; with chance `loss` one of them is lost in its step."""
    held, n_lost = {}, 0
    while not dispatch.is_done:
        for slot in ("a", "b"):
            step = dispatch.give(slot)
            if step is not None:
                held[slot] = step
        slot = str(rng.choice(sorted(held)))
        step = held.pop(slot)
        if rng.random() < loss:
            for _ in range(RESTARTS):
                dispatch.lose(slot, "died")
                assert dispatch.give(slot) is not None
            dispatch.lose(slot, ("died", "timed_out", "out_of_memory")[n_lost % 3])
            n_lost += 1
        else:
            dispatch.take(slot, _record(step))
        after_step()


def test_time_counts_from_the_first_look():
    clock = _Clock()
    budget = Budget(10.0, clock)
    clock.now_s = 100.0
    assert budget.left_s == 10.0
    clock.now_s = 109.0
    assert (budget.left_s, budget.is_over()) == (1.0, False)
    clock.now_s = 110.0
    assert (budget.left_s, budget.is_over()) == (0.0, True)
    assert (Budget(None, clock).left_s, Budget(None, clock).is_over()) == (None, False)


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_a_generation_that_was_dealt_is_ended_and_none_follows(name):
    clock = _Clock()
    budget = Budget(5.0, clock)
    agenda = Agenda(_searcher(name), 40, 4, 3, is_over=budget.is_over)

    def tick():
        clock.now_s += 1.0

    _run(Dispatch(agenda, lambda _: None), np.random.default_rng(1), after_step=tick)

    # The sixth step ends after the time is over; the second generation had been dealt by then.
    assert [record.index for record in agenda.records] == list(range(8))
    assert (agenda.n_trials, agenda.n_ended, agenda.is_done) == (8, 8, True)


def test_the_first_generation_is_dealt_however_short_the_time():
    agenda = Agenda(RandomSearcher(SPACE, 3), 40, 4, 3, is_over=lambda: True)

    _run(Dispatch(agenda, lambda _: None), np.random.default_rng(1))

    assert len(agenda.records) == 4


def test_time_that_is_left_bounds_the_estimate():
    clock = _Clock()
    budget = Budget(20.0, clock)
    agenda = Agenda(RandomSearcher(SPACE, 3), 400, 400, 3, is_over=budget.is_over)
    board = Scoreboard(agenda, "auc", "max", CpuUse(), budget, clock=clock)
    etas = []
    for step in agenda.ready()[:3]:
        clock.now_s += 2.0
        agenda.tell(_record(step))
        etas.append(board.standing(agenda.records[-1]).eta_s)

    assert etas == [18.0, 16.0, 14.0]


@pytest.mark.parametrize("halving", [None, HALVING])
@pytest.mark.parametrize("name", ["random", "tpe"])
@pytest.mark.parametrize("seed", range(3))
def test_recorded_decisions_make_a_second_execution_the_first_one(name, halving, seed):
    n_steps = iter(range(10_000))
    agenda = Agenda(_searcher(name), 60, 6, 3, halving, lambda: next(n_steps) > 4)
    _run(Dispatch(agenda, lambda _: None), np.random.default_rng(seed), loss=0.2)
    table = agenda.records
    assert len(table) < 60
    assert any(record.is_by_the_machine for record in table)

    decisions = decisions_of(table)
    again = Agenda(_searcher(name), decisions.n_trials, 6, 3, halving)
    done = []
    _run(Dispatch(again, done.append, known=decisions.known), np.random.default_rng(seed + 99))

    assert trial_table(again.records) == trial_table(table)
    ended = {(record.index, record.rungs[-1:]) for record in decisions.known}
    assert not ended & {(record.index, record.rungs) for record in done}  # Not run again.
    without = Agenda(_searcher(name), 60, 6, 3, halving)
    _run(Dispatch(without, lambda _: None), np.random.default_rng(seed))
    assert trial_table(without.records) != trial_table(table)


def test_decisions_are_told_in_words():
    table = [
        TrialRecord(0, {}, "1", "finished", 0.5),
        TrialRecord(1, {}, "1", "out_of_memory", error="MemoryError"),
        TrialRecord(2, {}, "1", "failed", error="ModelError"),
    ]

    assert decisions_of(table).in_words(9) == [
        "the search ended after 3 of 9 trials",
        "trial 1 out of memory",
    ]
    assert decisions_of(table[::2]).in_words(2) == []
