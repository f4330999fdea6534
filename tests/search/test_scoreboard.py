"""The scoreboard of a running search, held against sorting all records at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from mlops_ray.search.cpu_use import CpuUse
from mlops_ray.search.scoreboard import Scoreboard
from mlops_ray.search.trial import TrialRecord


@dataclass
class _Ended:
    """The part of an agenda that a scoreboard looks at."""

    n_trials: int
    records: list[TrialRecord] = field(default_factory=list)

    @property
    def n_ended(self) -> int:
        return len(self.records)


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _record(index, value, status="finished"):
    return TrialRecord(index, {"x": index}, str(index), status, value)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_leaders_are_those_of_a_sort_with_ties_by_index(mode):
    rng = np.random.default_rng(5)
    values = [(0.1, 0.2, 0.3, 0.4, None)[i] for i in rng.integers(5, size=60)]
    records = [_record(i, v, "failed" if v is None else "finished") for i, v in enumerate(values)]
    rng.shuffle(records)
    agenda = _Ended(60)
    board = Scoreboard(agenda, "auc", mode, CpuUse())

    for record in records:
        agenda.records.append(record)
        standing = board.standing(record)

    sign = -1 if mode == "max" else 1
    ranked = sorted((sign * r.value, r.index) for r in records if r.value is not None)
    assert [line.index for line in standing.leaders] == [index for _, index in ranked[:20]]
    assert standing.counts == {
        "finished": len(ranked),
        "failed": len(records) - len(ranked),
    }
    assert (standing.done, standing.total, standing.metric) == (60, 60, "auc")


def test_trials_that_end_together_are_counted_once():
    agenda = _Ended(9)
    board = Scoreboard(agenda, "auc", "max", CpuUse())
    seen = []
    for ending in ([_record(i, None, "pruned") for i in range(6)], [_record(6, 0.5)]):
        agenda.records += ending  # As a rung ends: all are there before any is told.
        seen += [board.standing(record).counts for record in ending]

    assert seen == [{"pruned": 6}] * 6 + [{"pruned": 6, "finished": 1}]


def test_time_left_is_that_of_the_trials_after_the_first():
    agenda, clock = _Ended(10), _Clock()
    board = Scoreboard(agenda, "auc", "max", CpuUse(), clock=clock)
    etas = []
    for index in range(5):
        clock.now_s = 30.0 + 2.0 * index  # The first pays the start of the workers.
        agenda.records.append(_record(index, 0.5))
        etas.append(board.standing(agenda.records[-1]).eta_s)

    assert etas == [None, 16.0, 14.0, 12.0, 10.0]


def test_what_an_earlier_attempt_has_done_counts_and_says_nothing_of_the_pace():
    agenda, clock = _Ended(10, [_record(i, 0.1 * i) for i in range(6)]), _Clock()
    board = Scoreboard(agenda, "auc", "max", CpuUse(), clock=clock)
    agenda.records.append(_record(6, 0.2))

    first = board.standing(agenda.records[-1])

    assert first.eta_s is None
    assert (first.done, first.counts) == (7, {"finished": 7})
    assert first.leaders[0].index == 5


def test_cpus_are_those_of_the_steps_over_the_time_there_were_slots():
    clock = _Clock()
    use = CpuUse(clock)
    assert use.cpus_used is None
    use.cpus = 2.0
    clock.now_s = 10.0
    use.begin()
    clock.now_s = 11.0
    use.begin()  # Another slot, or one that came back.
    use.add(1.5)
    clock.now_s = 14.0
    use.add(4.5)

    assert (use.used_s, use.wall_s, use.asked_s, use.cpus_used) == (6.0, 4.0, 8.0, 1.5)
    clock.now_s = 16.0
    use.end()  # After a step that was lost.
    assert (use.used_s, use.asked_s) == (6.0, 12.0)
