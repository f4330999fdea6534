"""`serve`, `deploy` and `predict` in an environment with another version of one package."""

from __future__ import annotations

import time

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

COMMANDS = [
    ["serve", "demand@1", "--port", "0"],
    ["deploy", "demand@1", "--address", "127.0.0.1:1"],
    ["predict", "demand@1", "data/bikes.csv", "--out", "other.parquet", "--num-cpus", "1"],
]


@pytest.fixture
def elsewhere(project, other_environment):
    """The same user and project, in the other environment."""
    return project.at(project.folder, PYTHONPATH=str(other_environment.folder))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_it_is_refused_at_once_by_the_one_package_with_both_versions(
    command, elsewhere, other_environment
):
    started = time.monotonic()
    done = elsewhere.mlops_ray(*command, "--json")
    wall_s = time.monotonic() - started

    assert (done.code, done.line["code"]) == (77, "not_permitted")
    assert done.line["got"] == f"{other_environment.difference} (recorded -> here)"
    assert f"pip install skops=={other_environment.recorded}" in done.line["hint"]
    assert "--env build" in done.line["hint"]
    assert "--on-difference warn" in done.line["hint"]
    assert wall_s < 10  # Ray was not even imported; it is one second where nothing else runs.


@pytest.mark.ray
def test_batch_goes_on_with_a_warning_where_golden_answers_match(
    project, elsewhere, other_environment
):
    at_home = ["predict", "demand@1", "data/bikes.csv", "--out", "home.parquet"]
    abroad = [*COMMANDS[2], "--on-difference", "warn"]

    twin = project.mlops_ray(*at_home, "--num-cpus", "1", "--json")
    done = elsewhere.mlops_ray(*abroad, "--json")

    assert (twin.code, done.code) == (0, 0), (twin, done)
    assert twin.line["differences"] == []
    assert done.line["differences"] == [other_environment.difference]
    assert f"warning: made in another environment: {other_environment.difference}" in done.stderr
    assert "warning" not in twin.stderr
    tables = [pq.read_table(project.folder / f"{name}.parquet") for name in ("home", "other")]
    assert tables[0].equals(tables[1])


def test_a_word_that_is_no_policy_is_refused(project):
    done = project.mlops_ray(*COMMANDS[0], "--on-difference", "ignore", "--json")

    assert done.code == 2
    assert "ignore" in done.stderr + done.stdout
