"""Searchers in a pipeline: by Optuna, of the project's own, and warm from an earlier run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"
sys.path.append(str(FAULTS))

from killed_run import Place, problems_of  # noqa: E402 - its folder is no package

from mlops_ray.search.trial import read_trial_table  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SPACE = {"C": {"log_uniform": [0.01, 10.0]}}
# Goes on from the best of what it was told.
OWN = """
class Beside:
    learns = True

    def __init__(self, space, *, seed, mode):
        self.best = 1.0

    def ask(self, first, n):
        return [{"C": self.best * (1 + index / 8)} for index in range(first, first + n)]

    def tell(self, records):
        told = [record for record in records if record.value is not None]
        self.best = max(told, key=lambda record: record.value).params["C"]
"""


def _trials(place, line):
    run = place.records.run(line["run_id"])
    return read_trial_table(place.records.workspace.store.get(run.result.search.trials))


def _overrides(**search):
    return ["--set", f"search={json.dumps({'space': SPACE, 'trials': 3, **search})}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("searchers")
    return Place.of_project(root, {}, drawing=OWN)


@pytest.fixture(scope="module")
def by_optuna(place):
    line = place.run(*_overrides(searcher="tpe"))
    assert line["code"] == 0, line["stderr"]
    return line


def _plan(place, *options):
    done = place.command("plan", "pipeline.yaml", "--json", *options)
    return {stage["name"]: stage for stage in json.loads(done.stdout)["stages"]}


def test_versions_of_optuna_stand_in_the_spec_and_count_for_the_search_alone(place, by_optuna):
    run = place.records.run(by_optuna["run_id"])

    assert {"optuna", "cmaes"} <= set(run.spec.packages)
    assert [int(part) for part in run.spec.schema_version.split(".")] >= [1, 4]
    planned = _plan(place, *_overrides(searcher="random"))
    assert next(name for name, stage in planned.items() if stage["action"] == "run") == "search"


def test_a_searcher_of_the_project_learns_from_an_earlier_run_and_its_code_counts(place, by_optuna):
    earlier = place.records.run(by_optuna["run_id"]).result.search
    options = _overrides(searcher="drawing:Beside", warm_start=earlier.trials)

    line = place.run(*options)

    assert line["code"] == 0, line["stderr"]
    drawn = [record.params["C"] for record in _trials(place, line)]
    assert drawn == [earlier.best_params["C"] * (1 + index / 8) for index in range(3)]
    objects = place.records.run(line["run_id"]).envelope.objects
    assert earlier.trials in {item.sha256 for item in objects if item.role == "warm start"}
    assert problems_of(place) == []
    path = place.project / "drawing.py"
    path.write_text(OWN.replace("index / 8", "index / 9"), encoding="utf-8")
    try:
        planned = _plan(place, *options)
    finally:
        path.write_text(OWN, encoding="utf-8")
    assert planned["features"]["action"] == "reuse"
    because = planned["search"]["because"]
    assert {"kind": "code", "what": "drawing.py"} in because


@pytest.mark.parametrize(
    ("searcher", "says"),
    [
        ("sketches:Beside", "the project has no module 'sketches'"),
        ("drawing:Other", "no class 'Other' at the top of drawing.py"),
    ],
)
def test_a_searcher_that_is_not_there_is_refused_before_ray_starts(place, searcher, says):
    line = place.run(*_overrides(searcher=searcher))

    assert line["code"] == 2
    assert says in json.dumps(line)
    assert line["where"]["key"] == "search.searcher"
