"""A model family of the project's own through whole runs: captured, checked, kept."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "faults"))

from killed_run import Place, problems_of, write_project  # noqa: E402 - its folder is no package

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FAMILY = "families.centroids:Centroids"
CHANGES = {
    "model": {"family": FAMILY, "calibration": "sigmoid"},
    "search": {"trials": 3, "space": {"sharpness": {"log_uniform": [0.05, 5]}}},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("own-family")
    project = write_project(root / "project", changes=CHANGES)
    (project / "families").mkdir()
    (project / "families" / "__init__.py").touch()
    shutil.copy(HERE.parent / "models" / "centroids.py", project / "families" / "centroids.py")
    return Place.made(project, root / "place", None)


@pytest.fixture(scope="module")
def line(place):
    line = place.run()
    assert line["code"] == 0, line["stderr"]
    return line


def command(place, *arguments):
    return place.command(*arguments, "--json")


def test_the_record_names_it_and_its_code_counts_where_it_runs(place, line):
    run = place.records.run(line["run_id"])
    path = place.project / "families" / "centroids.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Mistakes, as sentences.", "Mistakes."), encoding="utf-8")
    try:
        planned = json.loads(command(place, "plan", "pipeline.yaml").stdout)["stages"]
    finally:
        path.write_text(text, encoding="utf-8")

    assert run.result.model.family == run.spec.model.family == FAMILY
    stages = {stage["name"]: stage for stage in planned}
    assert stages["features"]["action"] == "reuse"
    assert {"kind": "code", "what": "families/centroids.py"} in stages["search"]["because"]
    assert problems_of(place) == []


def test_it_is_reproduced_bit_for_bit_though_the_project_has_changed(place, line):
    path = place.project / "families" / "centroids.py"
    text = path.read_text(encoding="utf-8")
    path.write_text("raise RuntimeError('other code')\n", encoding="utf-8")
    try:
        done = command(place, "reproduce", line["run_id"])
    finally:
        path.write_text(text, encoding="utf-8")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "IDENTICAL"


def test_batch_predictions_load_it_from_the_code_of_its_run(place, line, tmp_path):  # noqa: ARG001
    out = tmp_path / "predictions.parquet"

    done = command(place, "predict", "tiny@challenger", "data", "--out", str(out))

    assert done.returncode == 0, done.stderr
    assert out.exists()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["model.family=families.centres:Centroids"], 2, "no module 'families.centres'"),
        (["model.family=families.centroids:Other"], 2, "no class 'Other' at the top"),
        (["model.params={sharpness: -1}", "search={}"], 2, "'sharpness' must be"),
        (["model.monotone={a: increasing}"], 2, "takes no monotone"),
        (["search.patience={rounds: 20}"], 2, "so patience has nothing to count"),
        (["search.space={sharpnes: {uniform: [1, 2]}}"], 2, "did you mean 'sharpness'?"),
    ],
)
def test_what_does_not_fit_is_refused_before_ray_starts(place, options, code, says):
    refused = place.run(*[word for text in options for word in ("--set", text)])

    assert refused["code"] == code, refused["stderr"]
    assert says in refused["stderr"] + json.dumps(refused)
    assert "starting Ray" not in refused["stderr"]
