"""A bundle is loaded only where environment and golden answers let it be used."""

from __future__ import annotations

import dataclasses
import json

import pytest

from mlops_ray.config.environment import EnvironmentConfig
from mlops_ray.errors import DigestMismatchError, ModelError, NotPermittedError
from mlops_ray.models.admitted import load_admitted
from mlops_ray.models.bundle import GOLDEN_FILE, Bundle
from mlops_ray.runtime.admission import Admission
from mlops_ray.runtime.environment_difference import RecordedEnvironment, environment_here
from mlops_ray.storage import ObjectStore

HERE = environment_here(RecordedEnvironment({}, {}))
OTHER = dataclasses.replace(HERE, packages={**HERE.packages, "scipy": "0.1"})


@pytest.fixture
def store(tmp_path):
    return ObjectStore(tmp_path)


def scaled(bundle, factor):
    """A bundle whose recorded answers are multiplied by a factor."""
    golden = json.loads(bundle.files[GOLDEN_FILE])
    golden["answers"] = [
        [(float.fromhex(x) * factor).hex() for x in row] for row in golden["answers"]
    ]
    text = json.dumps(golden).encode()
    return Bundle({**bundle.files, GOLDEN_FILE: text})


@pytest.mark.parametrize(
    ("factor", "recorded", "on_difference", "is_used"),
    [
        (1, HERE, "refuse", True),
        (1, HERE, "warn", True),
        (1, HERE, "allow", True),
        (1, OTHER, "refuse", False),
        (1, OTHER, "warn", True),
        (1, OTHER, "allow", True),
        (1 + 1e-9, HERE, "refuse", False),
        (1 + 1e-9, HERE, "warn", False),
        (1 + 1e-9, HERE, "allow", False),
        (1 + 1e-9, OTHER, "refuse", False),
        (1 + 1e-9, OTHER, "warn", False),
        (1 + 1e-9, OTHER, "allow", True),
        (1 + 1e-3, HERE, "allow", False),
        (1 + 1e-3, OTHER, "refuse", False),
        (1 + 1e-3, OTHER, "warn", False),
        (1 + 1e-3, OTHER, "allow", False),
    ],
)
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_a_model_is_used_where_environment_policy_and_answers_let_it(
    store, make_bundle, task, factor, recorded, on_difference, is_used
):
    digest = scaled(make_bundle("linear", task), factor).save(store)
    admission = Admission(recorded, EnvironmentConfig(on_difference=on_difference))

    if is_used:
        predictor = load_admitted(store, digest, admission)
        assert predictor.replay_golden() == 8  # The probe of a replica is as lenient as its start.
        return
    with pytest.raises((NotPermittedError, ModelError)) as caught:
        load_admitted(store, digest, admission)
    is_refused = recorded is OTHER and on_difference == "refuse"
    assert isinstance(caught.value, NotPermittedError) == is_refused
    assert ("scipy 0.1 -> " in str(caught.value)) == (recorded is OTHER)
    assert ("no excuse" in str(caught.value)) == (recorded is HERE)


def test_the_declared_tolerance_decides(store, make_bundle):
    digest = scaled(make_bundle("linear", "regression"), 1 + 1e-3).save(store)
    wide = EnvironmentConfig(on_difference="allow", tolerance=1e-2)

    assert load_admitted(store, digest, Admission(OTHER, wide)).replay_golden() == 8
    narrow = wide.model_copy(update={"tolerance": 1e-4})
    with pytest.raises(ModelError, match=r"within a relative 0\.0001 .*example 0, output 0"):
        load_admitted(store, digest, Admission(OTHER, narrow))


def test_the_environment_is_refused_before_a_byte_is_read(store):
    absent = "sha256:" + "0" * 64

    with pytest.raises(NotPermittedError):
        load_admitted(store, absent, Admission(OTHER))
    with pytest.raises(DigestMismatchError):
        load_admitted(store, absent, Admission(HERE))
