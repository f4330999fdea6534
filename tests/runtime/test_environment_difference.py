"""What differs between two environments, and what of it can change an answer."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from mlops_ray.runtime.environment import behaviour_packages, platform_facts
from mlops_ray.runtime.environment_difference import (
    Difference,
    EnvironmentDifference,
    RecordedEnvironment,
    compare_environments,
    environment_here,
)

PACKAGES = {"numpy": "2.4.0", "python": "3.11.9", "scipy": "1.17.0"}
MACHINE = {"cpu_level": "x86-64-v4", "libc": "glibc-2.36", "machine": "x86_64", "system": "Linux"}
RECORDED = RecordedEnvironment(
    PACKAGES, MACHINE, {"OMP_NUM_THREADS": "1"}, {"rich": "14.0", "typer": "0.20"}
)


def changed(field, **values):
    """The recorded environment with other values; None takes one away."""
    content = {name: getattr(RECORDED, name) for name in RECORDED.__dataclass_fields__}
    merged = {**content[field], **values}
    return RecordedEnvironment(
        **{**content, field: {name: value for name, value in merged.items() if value is not None}}
    )


def test_equal_environments_do_not_differ():
    assert compare_environments(RECORDED, changed("packages")) == EnvironmentDifference()


@pytest.mark.parametrize(
    ("here", "text"),
    [
        (changed("packages", scipy="1.17.1"), "scipy 1.17.0 -> 1.17.1"),
        (changed("packages", python="3.12.0"), "python 3.11.9 -> 3.12.0"),
        (changed("packages", scipy=None), "scipy 1.17.0 -> not installed"),
        (changed("packages", xgboost="3.2.0"), "xgboost not recorded -> 3.2.0"),
        (changed("platform", cpu_level="x86-64-v3"), "cpu_level x86-64-v4 -> x86-64-v3"),
        (changed("platform", libc="glibc-2.41"), "libc glibc-2.36 -> glibc-2.41"),
        (changed("platform", machine="aarch64"), "machine x86_64 -> aarch64"),
        (changed("platform", system="Darwin"), "system Linux -> Darwin"),
    ],
)
def test_one_changed_thing_is_named_and_nothing_else(here, text):
    found = compare_environments(RECORDED, here)

    assert str(found) == text
    assert len(found.relevant) == 1
    assert (found.threads, found.others) == ((), ())


@pytest.mark.parametrize(
    ("here", "part", "difference"),
    [
        (
            changed("threads", OMP_NUM_THREADS="8"),
            "threads",
            Difference("threads", "OMP_NUM_THREADS", "1", "8"),
        ),
        (changed("others", rich="15.0"), "others", Difference("other", "rich", "14.0", "15.0")),
        (changed("others", typer=None), "others", Difference("other", "typer", "0.20", None)),
    ],
)
def test_threads_and_other_packages_are_told_but_are_not_relevant(here, part, difference):
    found = compare_environments(RECORDED, here)

    assert found.relevant == ()
    assert getattr(found, part) == (difference,)


def test_facts_of_the_machine_that_do_not_matter_are_left_out():
    assert compare_environments(RECORDED, changed("platform", kernel="6.1")).relevant == ()


def test_an_unknown_machine_counts_as_another():
    """An older record may lack it; what nobody noted cannot be called equal."""
    found = compare_environments(RecordedEnvironment(PACKAGES, {}), RECORDED)

    assert [item.name for item in found.relevant] == sorted(MACHINE)
    assert "cpu_level not recorded -> x86-64-v4" in str(found)


def test_unknown_threads_and_other_packages_say_nothing():
    found = compare_environments(RecordedEnvironment(PACKAGES, MACHINE), RECORDED)

    assert found == EnvironmentDifference()


def test_json_tells_each_part():
    here = changed("packages", scipy="1.17.1")

    assert compare_environments(RECORDED, here).to_json() == {
        "relevant": {"scipy": {"recorded": "1.17.0", "here": "1.17.1"}},
        "threads": {},
        "others": {},
    }


def test_here_is_what_this_process_runs_with(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    asked = RecordedEnvironment(
        {"pytest": "1", "no-such-package": "1"},
        {"implementation": "cpython"},
        {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        {},
    )

    here = environment_here(asked)

    assert here.packages == {**behaviour_packages(), "pytest": pytest.__version__}
    assert here.packages["numpy"] == np.__version__
    assert here.platform == {**platform_facts(), "implementation": sys.implementation.name}
    assert here.threads == {"OMP_NUM_THREADS": "3"}
    assert here.others is not None
    assert {"pluggy", "ray"} & set(here.others) == {"pluggy"}
    assert environment_here(RecordedEnvironment({}, {})).others is None


CODE = """
import json, sys
from mlops_ray.runtime.environment_difference import *
recorded = RecordedEnvironment(*json.load(sys.stdin))
found = compare_environments(recorded, environment_here(recorded))
heavy = {"ray", "numpy", "pandas", "sklearn", "scipy", "xgboost", "skops", "pyarrow"}
print(json.dumps([str(found), sorted(heavy & set(sys.modules))]))
"""


@pytest.mark.parametrize("is_other", [False, True])
def test_another_environment_differs_by_its_one_package_and_imports_nothing(
    is_other, other_environment
):
    path = str(other_environment.folder) if is_other else ""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps([behaviour_packages(), platform_facts()]),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    wanted = other_environment.difference if is_other else "none"
    assert json.loads(done.stdout) == [wanted, []]
    assert behaviour_packages()["python"] == platform.python_version()
