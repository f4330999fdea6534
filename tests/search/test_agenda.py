"""The agenda of a search: generations, asked and told in the order of their indices."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.runtime.seeds import derive
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.trial import TrialRecord


class _Diary:
    """A searcher that writes down what it is asked and told."""

    def __init__(self, learns):
        self.learns = learns
        self.pages = []

    def ask(self, first, n):
        self.pages.append(("ask", first, n))
        return [{"x": index} for index in range(first, first + n)]

    def tell(self, records):
        self.pages.append(("tell", [record.index for record in records]))


def _record(step):
    return TrialRecord(step.index, dict(step.params), str(step.seed), "finished", 0.5)


def test_a_learning_searcher_is_told_a_whole_generation_before_it_is_asked_for_the_next():
    diary = _Diary(learns=True)
    agenda = Agenda(diary, n_trials=7, generation=3, seed=1)

    while not agenda.is_done:
        for step in reversed(agenda.ready()):
            assert agenda.ready() == []
            agenda.tell(_record(step))

    assert diary.pages == [
        ("ask", 0, 3), ("tell", [0, 1, 2]),
        ("ask", 3, 3), ("tell", [3, 4, 5]),
        ("ask", 6, 1), ("tell", [6]),
    ]  # fmt: skip


def test_a_searcher_that_does_not_learn_never_waits():
    agenda = Agenda(_Diary(learns=False), n_trials=5, generation=2, seed=1)

    handed_out = [[step.index for step in agenda.ready()] for _ in range(4)]

    assert handed_out == [[0, 1], [2, 3], [4], []]


@pytest.mark.parametrize("learns", [True, False])
def test_the_order_in_which_trials_end_changes_nothing(learns):
    def run(shuffle):
        diary = _Diary(learns)
        agenda = Agenda(diary, n_trials=20, generation=6, seed=1)
        open_steps = []
        while not agenda.is_done:
            open_steps += agenda.ready()
            shuffle(open_steps)
            agenda.tell(_record(open_steps.pop()))
        return agenda.records, [page for page in diary.pages if page[0] == "tell"]

    in_order = run(lambda steps: steps.sort(key=lambda step: -step.index))

    for seed in range(10):
        assert run(np.random.default_rng(seed).shuffle) == in_order
    assert [record.index for record in in_order[0]] == list(range(20))


def test_a_seed_follows_from_the_search_and_the_index():
    steps = Agenda(_Diary(learns=False), n_trials=3, generation=3, seed=9).ready()

    assert [step.seed for step in steps] == [derive(9, "trial", index) for index in range(3)]
