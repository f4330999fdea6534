"""Equal runs started together: each stage is computed once, and who waits takes over."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "faults"))

from killed_run import Place, problems_of, write_project
from ray_head import running_head

from mlops_ray.pipeline.declared import STAGE_NAMES

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux"),
]


@pytest.fixture(scope="module")
def head():
    with running_head() as started:
        yield started


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("shared") / "project")


@pytest.fixture(scope="module")
def alone(project, head, tmp_path_factory):
    """What one run gives by itself."""
    line = Place.made(project, tmp_path_factory.mktemp("alone") / "place", head).run()
    assert line["code"] == 0, line["stderr"]
    return line


def computed(*lines):
    """Stage -> how often it was computed in some runs."""
    stages = [stage for line in lines for stage in line["stages"]]
    return Counter(stage["name"] for stage in stages if stage["cache"] == "miss")


def test_two_equal_runs_started_together_compute_each_stage_once(project, head, alone, tmp_path):
    place = Place.made(project, tmp_path / "place", head)
    # The first stands still in its first stage until the second waits for it; then both race.
    first = place.stopped_at("stage.computed")
    assert first is not None
    second = place.start()
    assert second.awaits_line("another run computes stage ingest; waiting")
    (place.folder / "reached").unlink()

    lines = first.ended(), second.ended()

    assert [line["code"] for line in lines] == [0, 0], [line["stderr"] for line in lines]
    assert computed(*lines) == dict.fromkeys(STAGE_NAMES, 1)
    assert {line["result_id"] for line in lines} == {alone["result_id"]}
    assert computed(alone) == dict.fromkeys(STAGE_NAMES, 1)
    assert lines[0]["model"] == lines[1]["model"]
    assert [run.state for run in place.records.runs()] == ["sealed", "sealed"]
    assert problems_of(place) == []


def test_who_waits_takes_over_from_a_run_that_is_killed(project, head, alone, tmp_path):
    place = Place.made(project, tmp_path / "place", head)
    first = place.stopped_at("stage.computed", 4)
    assert first is not None
    second = place.start()
    assert second.awaits_line("another run computes stage features; waiting")

    first.kill(whole_group=True)
    line = second.ended()

    assert line["code"] == 0, line["stderr"]
    assert line["result_id"] == alone["result_id"]
    assert computed(line) == dict.fromkeys(STAGE_NAMES[3:], 1)
    assert [run.state for run in place.records.runs()] == ["interrupted", "sealed"]
    assert problems_of(place) == []
