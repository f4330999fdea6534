"""The policy: what is refused, with which ways out, and how near golden answers have to be."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.errors import NotPermittedError
from mlops_ray.runtime.admission import Admission
from mlops_ray.runtime.environment_difference import RecordedEnvironment, environment_here

HERE = environment_here(RecordedEnvironment({}, {}))
OTHER_SCIPY = dataclasses.replace(HERE, packages={**HERE.packages, "scipy": "0.1"})
OTHER_CPU = dataclasses.replace(HERE, platform={**HERE.platform, "cpu_level": "x86-64-v9"})
RAN_ON_OLDER = dataclasses.replace(HERE, platform={})


def admission(recorded, on_difference="refuse", tolerance=1e-6):
    policy = EnvironmentConfig(on_difference=on_difference, tolerance=tolerance)
    return Admission(recorded, policy, "20260101t000000-abcdef")


@pytest.mark.parametrize("on_difference", ["refuse", "warn", "allow"])
def test_the_recorded_environment_is_let_in_and_every_bit_has_to_match(on_difference):
    equal = admission(HERE, on_difference, tolerance=0.5)

    found = equal.check()

    assert found.relevant == ()
    assert equal.tolerance(found) == 0.0
    assert "no excuse" in equal.blame(found)


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        (OTHER_SCIPY, f"scipy 0.1 -> {HERE.packages['scipy']}"),
        (OTHER_CPU, f"cpu_level x86-64-v9 -> {HERE.platform['cpu_level']}"),
        (RAN_ON_OLDER, f"cpu_level not recorded -> {HERE.platform['cpu_level']}"),
    ],
)
def test_another_environment_is_refused_by_default_and_named(recorded, name):
    with pytest.raises(NotPermittedError) as caught:
        Admission(recorded).check()

    assert name in caught.value.got
    assert ("scipy" in caught.value.got) == (recorded is OTHER_SCIPY)


def test_a_refusal_names_the_ways_out():
    with pytest.raises(NotPermittedError) as caught:
        admission(OTHER_SCIPY, tolerance=1e-4).check()

    hint = caught.value.hint
    assert hint.startswith("pip install scipy==0.1; or `mlops-ray reproduce 20260101t000000-abcdef")
    assert "--env build" in hint
    assert "--on-difference warn" in hint
    assert "allow if within 0.0001" in hint


def test_another_machine_or_python_is_not_to_be_installed_by_pip():
    python = dataclasses.replace(OTHER_CPU, packages={**HERE.packages, "python": "2.7.18"})
    with pytest.raises(NotPermittedError) as caught:
        Admission(python).check()

    assert "pip install" not in caught.value.hint
    assert caught.value.hint.startswith("use Python 2.7.18, use a machine")


@pytest.mark.parametrize(("on_difference", "tolerance"), [("warn", 0.0), ("allow", 1e-4)])
def test_only_allow_loosens_what_golden_answers_have_to_match(on_difference, tolerance):
    lenient = admission(OTHER_SCIPY, on_difference, tolerance=1e-4)

    found = lenient.check()

    assert [item.name for item in found.relevant] == ["scipy"]
    assert lenient.tolerance(found) == tolerance
    assert "scipy 0.1 -> " in lenient.blame(found)
    assert ("--on-difference allow" in lenient.blame(found)) == (on_difference == "warn")


def test_it_travels_to_other_processes_and_serves_as_a_key():
    travelled = pickle.loads(pickle.dumps(admission(OTHER_SCIPY, "warn")))

    assert travelled == admission(OTHER_SCIPY, "warn")
    assert travelled != admission(HERE, "warn")
    assert len({travelled, admission(OTHER_SCIPY, "warn"), admission(HERE, "warn")}) == 2
