"""A scikit-learn estimator through a whole run, and the same result again in a fresh store."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"
sys.path.append(str(FAULTS))

from killed_run import Place, problems_of, write_project  # noqa: E402 - its folder is no package

from mlops_ray.models.admitted import load_admitted  # noqa: E402
from mlops_ray.pipeline.admission import admission_of  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

MODEL = {"family": "sklearn", "estimator": "RandomForestClassifier", "params": {"n_estimators": 9}}
SEARCH = {"space": {"max_depth": {"int": [2, 5]}, "max_features": {"uniform": [0.4, 0.9]}}}


def _overrides(model, search):
    declared = {**search, "trials": 4, "generation": 2}
    return ["--set", f"model={json.dumps(model)}", "--set", f"search={json.dumps(declared)}"]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("sklearn")
    project = write_project(root / "project")
    return [Place.made(project, root / name, None) for name in ("one", "two")]


@pytest.fixture(scope="module")
def line(places):
    line = places[0].run(*_overrides(MODEL, SEARCH))
    assert line["code"] == 0, line["stderr"]
    return line


def test_a_forest_goes_through_search_refit_and_gate(places, line):
    run = places[0].records.run(line["run_id"])
    store = places[0].records.workspace.store

    predictor = load_admitted(store, run.result.model.bundle, admission_of(run))
    assert run.result.model.family == "sklearn:RandomForestClassifier"
    assert predictor.signature.family == run.result.model.family
    assert predictor.replay_golden() > 1
    assert set(run.result.search.best_params) == {"max_depth", "max_features"}
    assert problems_of(places[0]) == []


def test_a_fresh_store_gets_the_same_result(places, line):
    again = places[1].run(*_overrides(MODEL, SEARCH))

    assert again["code"] == 0, again["stderr"]
    assert again["result_id"] == line["result_id"]


def test_a_bad_parameter_is_refused_before_ray_starts(places):
    bad = {**MODEL, "params": {"n_estimators": 0}}

    refused = places[1].run(*_overrides(bad, SEARCH))

    assert refused["code"] == 2
    assert "n_estimators" in refused["stderr"]
    assert "an int in the range [1, inf), got 0" in refused["stderr"]
