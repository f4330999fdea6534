"""What a trial table tells after the search: order, reasons, rungs, the best so far."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from mlops_ray.search.agenda import Agenda
from mlops_ray.search.halving import Halving
from mlops_ray.search.leaderboard import best_so_far, leaderboard, reasons
from mlops_ray.search.overview import SearchOverview
from mlops_ray.search.rung_survival import RungSurvival, rung_survival
from mlops_ray.search.trial import TrialRecord, best_trial

RECORDS = [
    TrialRecord(0, {}, "0", "failed", error="ModelError", message="bad depth"),
    TrialRecord(1, {}, "1", "finished", 0.7),
    TrialRecord(2, {}, "2", "pruned", rungs=((10, 0.6),)),
    TrialRecord(3, {}, "3", "finished", 0.9),
    TrialRecord(4, {}, "4", "finished", 0.9),
    TrialRecord(5, {}, "5", "pruned", rungs=((10, 0.8), (30, 0.5))),
    TrialRecord(6, {}, "6", "timed_out", error="TimeoutError", message="slow"),
    TrialRecord(7, {}, "7", "failed", error="ModelError", message="bad depth"),
    TrialRecord(8, {}, "8", "pruned", rungs=((10, 0.61),)),
    TrialRecord(9, {}, "9", "invalid"),
]


@pytest.mark.parametrize(
    ("mode", "order"),
    [("max", [3, 4, 1, 5, 8, 2, 0, 6, 7, 9]), ("min", [1, 3, 4, 5, 2, 8, 0, 6, 7, 9])],
)
def test_the_order_begins_with_the_trial_that_is_chosen_in_whatever_order_they_come(mode, order):
    for shuffled in (RECORDS, RECORDS[::-1]):
        assert [record.index for record in leaderboard(shuffled, mode)] == order
    assert best_trial(RECORDS, mode).index == order[0]


def test_reasons_are_told_with_their_trials_the_commonest_first():
    found = [(reason.status, reason.text, reason.trials) for reason in reasons(RECORDS)]

    assert found == [
        ("failed", "ModelError: bad depth", (0, 7)),
        ("timed_out", "TimeoutError: slow", (6,)),
        ("invalid", "the objective is not a finite number", (9,)),
    ]


def test_the_best_so_far_is_a_running_best_by_index():
    values = np.random.default_rng(2).integers(0, 20, size=100) / 20.0
    records = [TrialRecord(i, {}, "1", "finished", float(v)) for i, v in enumerate(values)]

    for mode, sign in (("max", 1), ("min", -1)):
        running = np.maximum.accumulate(sign * values)
        firsts = [0, *(np.flatnonzero(np.diff(running)) + 1)]
        wanted = [(int(i), float(values[i])) for i in firsts]
        assert best_so_far(records[::-1], mode) == wanted


def test_survival_at_the_rungs_is_that_of_the_halving_that_was_declared():
    halving = Halving((1, 3, 9), eta=3, n_brackets=1, mode="max")

    class _Numbers:
        learns = False

        def ask(self, first, n):
            return [{"x": i} for i in range(first, first + n)]

        def tell(self, records):
            pass

    agenda = Agenda(_Numbers(), 27, 27, 1, halving)
    while not agenda.is_done:
        for step in agenda.ready():
            value = None if step.params["x"] == 5 else step.params["x"] / 100 + step.rounds / 1000
            agenda.tell(
                TrialRecord(
                    step.index,
                    dict(step.params),
                    str(step.seed),
                    "failed" if value is None else "finished",
                    value,
                    rungs=((step.rounds, value),),
                )
            )

    rungs = rung_survival(agenda.records, "max")

    # 27 enter, of which 9 go on, of which 3 go on; trial 26 is the best at each rung.
    assert rungs == [
        RungSurvival(1, 27, went_on=9, pruned=17, failed=1, best=0.261),
        RungSurvival(3, 9, went_on=3, pruned=6, best=0.263),
        RungSurvival(9, 3, finished=3, best=0.269),
    ]
    for before, after in itertools.pairwise(rungs):
        assert before.went_on == after.entered


def test_rungs_by_share_are_told_as_shares():
    rungs = ((1 / 9, 0.6), (1 / 3, 0.5))
    records = [
        TrialRecord(0, {}, "0", "pruned", rungs=rungs[:1], by="data_share"),
        TrialRecord(1, {}, "1", "pruned", rungs=rungs, by="data_share"),
        TrialRecord(2, {}, "2", "finished", 0.7, rungs=(*rungs, (1.0, 0.7)), by="data_share"),
    ]
    overview = SearchOverview(records, "roc_auc", "max", {})

    content = overview.to_json()

    assert [record.index for record in overview.leaderboard] == [2, 1, 0]
    assert [rung.in_words for rung in overview.rungs] == [
        "11.1 % of the rows", "33.3 % of the rows", "100 % of the rows",
    ]  # fmt: skip
    assert json.loads(json.dumps(content)) == content
    assert [rung["share"] for rung in content["rungs"]] == [1 / 9, 1 / 3, 1.0]
    assert [rung["entered"] for rung in content["rungs"]] == [3, 2, 1]
    assert content["curves"]["1"] == [[1 / 9, 0.6], [1 / 3, 0.5]]
    steps = overview.curve_in_steps(records[1])
    assert steps == ("rows_of_a_million", [(111_111, 0.6), (333_333, 0.5)])
    assert "rounds" not in content["rungs"][0]


def test_an_overview_is_plain_json_and_knows_nothing_that_was_not_measured():
    overview = SearchOverview(RECORDS, "roc_auc", "max", {"trials": 10})

    content = overview.to_json()

    assert json.loads(json.dumps(content)) == content
    assert content["counts"] == {
        "failed": 2, "finished": 3, "invalid": 1, "pruned": 3, "timed_out": 1,
    }  # fmt: skip
    assert content["leaderboard"][0]["trial"] == 3
    assert content["curves"] == {"2": [[10, 0.6]], "5": [[10, 0.8], [30, 0.5]], "8": [[10, 0.61]]}
    assert (content["importance"], content["cpu"]) == (None, {"asked_s": None, "used_s": None})
    measured = SearchOverview(RECORDS, "roc_auc", "max", {"cpu_asked_s": 4.0, "cpu_used_s": 3.5})
    assert measured.cpu_s == (4.0, 3.5)
