"""Metrics of a project in a pipeline, and which stages a change of what is measured concerns."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

FAULTS = Path(__file__).parents[1] / "faults"
sys.path.append(str(FAULTS))

from killed_run import Place, problems_of  # noqa: E402 - its folder is no package

from mlops_ray.data.rowhash import hash_rows  # noqa: E402
from mlops_ray.search.trial import read_trial_table  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

OWN = """
import numpy as np
from mlops_ray import metric

GAIN = 40.0


@metric(version=3)
def saving(y, predicted):
    chosen = predicted[:, 1] > 0.3
    return float(np.mean(GAIN * (chosen & (y == 1)) - 3.0 * chosen))
"""
SAVING = {
    "function": "costs:saving",
    "version": 3,
    "direction": "max",
    "needs": "probabilities",
}
CHANGES = {
    "objective": {"metric": "costs:saving", "direction": "max"},
    "split": {"test": {"share": 0.25}},
    "validation": {"scheme": "k_fold", "folds": 3},
    "evaluation": {"metrics": ["brier"], "functions": [SAVING], "bootstrap": {"resamples": 100}},
    "search": {"space": {"C": {"log_uniform": [0.001, 10.0]}}, "trials": 3, "generation": 3},
    "gates": [{"metric": "costs:saving", "at_least": 0.0}],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("metrics")
    return Place.of_project(root, CHANGES, costs=OWN)


@pytest.fixture(scope="module")
def run(place):
    line = place.run()
    assert line["code"] == 0, line["stderr"]
    return place.records.run(line["run_id"])


def _saving(y, probability):
    chosen = probability > 0.3
    return float(np.mean(40.0 * (chosen & (y == 1)) - 3.0 * chosen))


def _planned(place, *options):
    """The stages that would run."""
    done = place.command("plan", "pipeline.yaml", "--json", *options)
    stages = json.loads(done.stdout)["stages"]
    return {s["name"]: s["because"] for s in stages if s["action"] == "run"}


def test_it_is_the_objective_and_judged_by_its_gate(place, run):
    facts = {(metric.split, metric.name): metric for metric in run.result.metrics}
    trials = read_trial_table(place.records.workspace.store.get(run.result.search.trials))

    assert {name for _, name in facts} == {"brier", "costs:saving"}
    best = max(trials, key=lambda record: record.value)
    assert best.value == np.mean([fold["costs:saving"] for fold in best.folds])
    assert facts["valid", "costs:saving"].value == best.value == run.result.search.best_value
    assert [gate.verdict for gate in run.gates] == ["PASS"]
    interval = facts["test", "costs:saving"].interval
    assert interval.low < facts["test", "costs:saving"].value < interval.high
    assert problems_of(place) == []


def test_its_value_on_the_test_rows_is_that_of_the_answers(place, run, tmp_path):
    out = tmp_path / "answers.parquet"
    done = place.command("predict", run.model_reference, "data", "--out", out)
    assert done.returncode == 0, done.stderr
    answers = pq.read_table(out).sort_by("id")
    data = pq.read_table(place.project / "data").sort_by("id")
    y = np.array([value == "yes" for value in data["y"].to_pylist()])
    p = np.array(answers["probability"].to_pylist())[:, 1]
    rows = _test_rows(place, run)

    assert _saving(y[rows], p[rows]) == pytest.approx(run.metrics["costs:saving"], abs=1e-12)


def _test_rows(place, run):
    data = pq.read_table(place.project / "data").sort_by("id")
    salt = int(run.spec.seeds["split"])
    hashes = hash_rows(data, dict(run.spec.data.columns), ["id"], salt)[0]
    return hashes / 2.0**64 < 0.25


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("seed=7", None),  # What it is: the unmutated twin.
        ("validation={scheme: grouped, group: id, folds: 3}", "features"),
        ("validation.folds=4", "search"),
        ("evaluation.metrics=[brier, f1]", "search"),
        ("search.selection={tie_break: [{lowest: C}]}", "refit"),
        ("evaluation.bootstrap.level=0.8", "evaluate"),
        ("gates=[{metric: f1, at_least: 0.1}]", "evaluate"),
    ],
)
def test_a_change_computes_what_looks_at_it_and_nothing_before(place, override, first):
    planned = _planned(place, "--set", override)

    assert next(iter(planned), None) == first


def test_the_trials_of_a_run_say_which_one_was_chosen(place, run):
    rule = "search.selection={within_standard_errors: 100, tie_break: [{highest: C}]}"
    line = place.run("--set", rule)
    assert line["code"] == 0, line["stderr"]

    best, ruled = (
        json.loads(place.command("runs", "trials", name, "--json").stdout)
        for name in (run.run_id, line["run_id"])
    )

    freest = max(ruled["leaderboard"], key=_by_c)["trial"]
    assert best["chosen"] == best["leaderboard"][0]["trial"] != freest
    assert ruled["chosen"] == freest
    told = place.command("runs", "trials", line["run_id"]).stderr
    assert f"chosen      trial {freest}\n" in told


def _by_c(trial):
    return trial["params"]["C"]


def test_from_the_record_alone_it_is_computed_again(place, run):
    done = place.command("reproduce", run.record.run_id, "--json")

    assert json.loads(done.stdout)["verdict"] == "IDENTICAL", done.stderr


@pytest.mark.usefixtures("run")
def test_its_code_counts_for_what_measures_by_it(place):
    path = place.project / "costs.py"
    path.write_text(OWN.replace("40.0", "41.0"), encoding="utf-8")
    try:
        planned = _planned(place)
    finally:
        path.write_text(OWN, encoding="utf-8")

    assert list(planned) == ["search", "refit", "evaluate", "gate"]
    assert {"kind": "code", "what": "costs.py"} in planned["search"]
    assert {"kind": "code", "what": "costs.py"} in planned["evaluate"]
    assert _planned(place) == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "version 3"),
        ({"function": "costs:nothing"}, "no `@metric(version=...)` of this name in costs.py"),
        ({"function": "prices:saving"}, "the project has no module 'prices'"),
    ],
)
def test_one_that_is_not_there_is_refused_before_ray_starts(place, changes, says):
    own = {**SAVING, **changes}
    overrides = [
        f"evaluation={json.dumps({'functions': [own]})}",
        f"objective={json.dumps({'metric': own['function'], 'direction': 'max'})}",
        "gates=[{metric: brier, at_most: 1.0}]",
    ]

    line = place.run(*(part for override in overrides for part in ("--set", override)))

    assert line["code"] == 2
    assert says in json.dumps(line)
    assert line["where"]["key"] == "evaluation.functions.0.function"
