"""A search halved by shares of the training rows: whole runs by the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "faults"))

from killed_run import Place, problems_of, write_project

from mlops_ray.search.trial import read_trial_table

pytestmark = [pytest.mark.ray, pytest.mark.slow]

# The last one is better by far, on few rows and on all.
SEARCH = {
    "space": {"C": {"choice": [1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1.0]}},
    "searcher": "grid",
    "trials": 9,
    "generation": 9,
    "halving": {"by": "data_share"},
}
WHOLE = {name: value for name, value in SEARCH.items() if name != "halving"}


def _declared(search):
    return ["--set", f"search={json.dumps(search)}"]


def _trials(place, line):
    run = place.records.run(line["run_id"])
    return read_trial_table(place.records.workspace.store.get(run.result.search.trials))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("shares")
    project = write_project(root / "project", 600, {"objective": {"metric": "log_loss"}})
    return [Place.made(project, root / name, None) for name in ("one", "two")]


@pytest.fixture(scope="module")
def line(places):
    found = places[0].run(*_declared(SEARCH))
    assert found["code"] == 0, found["stderr"]
    return found


def test_trials_of_a_family_without_rounds_are_cut_short(places, line):
    run, table = places[0].records.run(line["run_id"]), _trials(places[0], line)

    assert [int(part) for part in run.spec.schema_version.split(".")] >= [1, 11]
    assert run.spec.search.halving.by == "data_share"
    assert line["trials"]["pruned"] == run.result.search.n_pruned == 8
    assert line["determinism"] == "deterministic"
    best = table[run.result.search.best_index]
    assert [share for share, _ in best.rungs] == [1 / 9, 1 / 3, 1.0]
    assert problems_of(places[0]) == []


def test_the_last_trial_and_the_final_fit_are_those_of_all_rows(places, line):
    whole = places[0].run(*_declared(WHOLE))

    assert whole["code"] == 0, whole["stderr"]
    results = [places[0].records.run(found["run_id"]).result for found in (line, whole)]
    halved, full = (_trials(places[0], found)[8] for found in (line, whole))
    assert [result.search.best_index for result in results] == [8, 8]
    assert (halved.value, halved.metrics) == (full.value, full.metrics)
    assert results[0].model.bundle == results[1].model.bundle
    assert results[0].search.trials != results[1].search.trials


@pytest.mark.campaign
def test_one_cpu_into_a_fresh_store_gives_the_same_result(places, line):
    again = places[1].run(*_declared(SEARCH), "--num-cpus", "1")

    assert again["code"] == 0, again["stderr"]
    assert again["result_id"] == line["result_id"]


def test_runs_trials_tells_rungs_by_their_share(places, line):
    shown = places[0].command("runs", "trials", line["run_id"], "--json")
    listed = places[0].command("runs", "trials", line["run_id"])

    rungs = json.loads(shown.stdout)["rungs"]
    assert [(rung["share"], rung["entered"]) for rung in rungs] == [(1 / 9, 9), (1 / 3, 3), (1, 1)]
    assert "rung        11.1 % of the rows: 9 entered, 3 went on, 6 pruned" in listed.stderr
    head = listed.stdout.splitlines()[0].lower().split()
    assert head == ["trial", "status", "log_loss", "rounds", "rows", "params"]
    assert "33.3%" in listed.stdout


@pytest.mark.parametrize(
    ("halving", "code", "key", "hint"),
    [
        ({}, 2, "search.halving", "'search.halving.by: data_share'"),
        ({"by": "data_share", "min_share": 0.5}, 2, "search.halving", "lower"),
        ({"by": "data_share", "min_rounds": 3}, 2, "search.halving.min_rounds", "'min_share'"),
        ({"by": "data_share", "min_share": 0.0001}, 65, "search.halving.min_share", "raise"),
    ],
)
def test_what_cannot_be_is_refused_with_place_and_way_out(places, halving, code, key, hint):
    line = places[0].run(*_declared({**SEARCH, "halving": halving}))

    assert line["code"] == code
    assert line["where"]["key"] == key
    assert hint in line["hint"]
    assert "ray_start_s" not in line
