"""A search that a clock cut short, with patience: its record, and its second execution.

The searcher of the project is slow in the recorded run and quick in the second one, which would
have dealt all its trials but for the recorded decisions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import xgboost

sys.path.append(str(Path(__file__).parents[1] / "faults"))

from killed_run import Place

from mlops_ray.search.trial import read_trial_table

pytestmark = [pytest.mark.ray, pytest.mark.campaign]

BUDGET_S = 30
OWN = f"""
import os
import time


class Slow:
    learns = True

    def __init__(self, space, *, seed, mode):
        pass

    def ask(self, first, n):
        if first and "QUICK" not in os.environ:
            time.sleep({BUDGET_S})
        return [{{"max_depth": 1 + index}} for index in range(first, first + n)]

    def tell(self, records):
        pass
"""
CHANGES = {
    "model": {"family": "xgboost", "params": {"n_estimators": 200, "learning_rate": 0.5}},
    "search": {
        "space": {"max_depth": {"int": [1, 12]}},
        "searcher": "drawing:Slow",
        "trials": 12,
        "generation": 2,
        "budget_s": BUDGET_S,
        "patience": {"rounds": 20, "every": 10},
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("replayable")
    return Place.of_project(root, CHANGES, drawing=OWN)


@pytest.fixture(scope="module")
def line(place):
    found = place.run()
    assert found["code"] == 0, found["stderr"]
    return found


def test_a_search_that_a_clock_cut_short_is_executed_again_with_the_same_bits(place, line):
    assert line["determinism"] == "replayable"
    assert line["trials"]["finished"] == 4  # The second generation was dealt in time.

    done = place.command("reproduce", line["run_id"], "--json", "--num-cpus", "2", QUICK="1")

    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"]) == (0, "IDENTICAL"), done.stderr
    assert answer["applied"] == ["the search ended after 4 of 12 trials"]
    assert answer["executed"] == {"n": 8, "of": 8}


def test_the_final_fit_makes_the_rounds_of_the_best_look(place, line):
    run = place.records.run(line["run_id"])
    store = place.records.workspace.store
    table = read_trial_table(store.get(run.result.search.trials))
    best = table[run.result.search.best_index]
    files = {item.role: item.sha256 for item in run.envelope.objects}
    booster = xgboost.Booster()

    booster.load_model(bytearray(store.get(files["bundle model.ubj"])))

    assert best.rounds == run.result.search.best_rounds == booster.num_boosted_rounds() < 200
    assert all(record.rounds in dict(record.curve) for record in table)


def test_the_trials_of_a_run_are_shown_with_their_cpu_time(place, line):
    done = place.command("runs", "trials", line["run_id"], "--json")

    shown = json.loads(done.stdout)

    best = line["trials"]["best"]
    assert done.returncode == 0, done.stderr
    assert (shown["schema"], shown["counts"]) == ("mlops-ray/trials/v1", {"finished": 4})
    assert shown["leaderboard"][0]["trial"] == best["index"]
    assert [trial["value"] for trial in shown["leaderboard"]] == sorted(
        (trial["value"] for trial in shown["leaderboard"]), reverse=True
    )
    assert 0 < shown["cpu"]["used_s"] < shown["cpu"]["asked_s"]
    listed = place.command("runs", "trials", line["run_id"], "--top", "1")
    assert len(listed.stdout.splitlines()) == 2
    assert "3 more trials" in listed.stderr
