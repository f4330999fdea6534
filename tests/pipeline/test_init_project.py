from __future__ import annotations

import csv

import pytest

from mlops_ray import Pipeline, init_project
from mlops_ray.errors import ConflictError
from mlops_ray.storage import project_root


def test_a_new_project_can_be_checked_as_it_is(tmp_path):
    written = init_project(tmp_path / "new")

    assert all(path.is_file() for path in written)
    checked = Pipeline(tmp_path / "new" / "pipeline.yaml").check()
    assert checked["features"] == ["temperature_c", "hour", "weather"]
    assert project_root(tmp_path / "new" / "data") == tmp_path / "new"
    assert (tmp_path / "new" / ".mlops_ray" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / "new" / ".mlops_ray" / "store").exists()


def test_the_example_has_what_a_first_run_should_meet(tmp_path):
    init_project(tmp_path)

    with (tmp_path / "data" / "bikes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert len({row["hour_id"] for row in rows}) == len(rows) == 600
    assert sum(row["temperature_c"] == "" for row in rows) == 15  # Nulls to impute.
    assert {row["weather"] for row in rows} == {"sun", "cloud", "rain"}


def test_two_new_projects_are_equal_byte_for_byte(tmp_path):
    first, second = (init_project(tmp_path / name) for name in "ab")

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("taken", ["pipeline.yaml", "data/bikes.csv", ".mlops_ray/.gitignore"])
def test_a_file_that_exists_is_kept_and_nothing_is_written(tmp_path, taken):
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("mine")

    with pytest.raises(ConflictError, match=r"exists already; .*mlops-ray init NEW_FOLDER"):
        init_project(tmp_path)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / taken]
    assert (tmp_path / taken).read_text() == "mine"
