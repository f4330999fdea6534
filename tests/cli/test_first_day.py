"""`init` in an empty folder, then `check`, then `run`: what a newcomer types first."""

import re

import pytest

from mlops_ray.pipeline.declared import STAGE_NAMES

pytestmark = pytest.mark.ray


def test_init_writes_a_project(first_day):
    folder = first_day.shell.folder

    assert first_day.init.code == 0
    assert first_day.init.line["schema"] == "mlops-ray/init/v1"
    assert set(first_day.init.line["files"]) == {
        "pipeline.yaml",
        "data/bikes.csv",
        ".mlops_ray/.gitignore",
    }
    assert all((folder / name).is_file() for name in first_day.init.line["files"])


def test_check_accepts_it_without_ray(first_day):
    line = first_day.check.line

    assert (first_day.check.code, line["name"], line["target"]) == (0, "demand", "rentals")
    assert line["features"] == ["temperature_c", "hour", "weather"]
    assert "Ray" not in first_day.check.stderr


def test_run_seals_and_registers_and_says_nothing_else_on_stdout(first_day):
    done = first_day.run
    assert done.code == 0, done.stderr
    line = done.line

    assert (line["schema"], line["state"]) == ("mlops-ray/run/v1", "sealed")
    assert (line["model"]["name"], line["model"]["version"]) == ("demand", 1)
    assert [stage["name"] for stage in line["stages"]] == list(STAGE_NAMES)
    assert {stage["cache"] for stage in line["stages"]} == {"miss"}
    assert [gate["verdict"] for gate in line["gates"]] == ["PASS"]
    assert (line["trials"]["finished"], line["trials"]["failed"]) == (6, 0)
    for name in ("spec_id", "result_id"):
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", line[name])
    assert line["wall_s"] > 0
    assert line["peak_pss_bytes"] is None or line["peak_pss_bytes"] > 2**27


def test_run_shows_what_it_does_while_it_does_it(first_day):
    shown = re.findall(r"^\[(\d)/8\] (\w+)$", first_day.run.stderr, re.MULTILINE)

    assert shown == [(str(number), name) for number, name in enumerate(STAGE_NAMES, 1)]
    assert "6/6 trials, best " in first_day.run.stderr
    assert "Traceback" not in first_day.run.stderr
    assert "Warning" not in first_day.run.stderr


def test_the_environment_says_where_things_lie_and_nothing_lies_elsewhere(first_day):
    folder, home = first_day.shell.folder, first_day.shell.home

    assert (first_day.store / "runs" / first_day.run.line["run_id"] / "sealed.json").is_file()
    assert [path.name for path in (folder / ".mlops_ray").iterdir()] == [".gitignore"]
    assert not (home / ".ray").exists()
    assert not (home / "ray_results").exists()
