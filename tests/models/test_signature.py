"""The signature: what it says of inputs and outputs, and what it refuses to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_ray.errors import ManifestError, ModelError
from mlops_ray.models.families import family_named
from mlops_ray.models.packing import signature_of
from mlops_ray.models.signature import InputField, Signature

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture
def signature(people_state):
    return signature_of(people_state, family_named("linear"), "binary", ["no", "yes"])


def test_inputs_follow_the_feature_state(signature):
    assert signature.inputs == (
        InputField("age", "float64", nullable=True),  # Imputed.
        InputField("city", "string", nullable=True),  # A null is none of the categories.
        InputField("rooms", "int64", nullable=False),
        InputField("owner", "bool", nullable=False),
    )


def test_a_family_that_accepts_missing_values_makes_every_input_nullable(people_state):
    signature = signature_of(people_state, family_named("xgboost"), "regression", [])

    assert all(field.nullable for field in signature.inputs)


def test_outputs_are_named_by_task(signature, people_state):
    regression = signature_of(people_state, family_named("xgboost"), "regression", [])

    assert signature.output_names == ("label", "probability")
    assert regression.output_names == ("value",)
    assert regression.n_classes == 0


@pytest.mark.parametrize("classes", [["no", "yes"], [0, 1], [False, True]])
def test_reading_what_was_written_gives_the_same(people_state, classes):
    signature = signature_of(people_state, family_named("linear"), "binary", classes)

    read = Signature.from_bytes(signature.to_bytes())

    assert read == signature
    assert [type(label) for label in read.classes] == [type(label) for label in classes]


def test_signatures_of_version_1_are_read_for_ever():
    read = Signature.from_bytes((GOLDEN / "signature_v1.json").read_bytes())

    assert read.classes == ("no", "yes")
    assert [field.dtype for field in read.inputs] == ["float64", "int64", "string", "bool"]
    assert [field.nullable for field in read.inputs] == [True, False, True, False]


def test_members_of_a_later_version_are_ignored(signature):
    document = {**json.loads(signature.to_bytes()), "later": 1}
    document["inputs"][0]["later"] = 2

    assert Signature.from_bytes(json.dumps(document).encode()) == signature


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "mlops-ray/signature/v2"}, "not a signature this version can read"),
        ({"task": "clustering"}, "malformed"),
        ({"inputs": [{"name": "a"}]}, "malformed"),
        ({"inputs": [{"name": "a", "dtype": "complex", "nullable": True}]}, "malformed"),
        ({"outputs": []}, "malformed"),
    ],
)
def test_documents_that_cannot_be_used_are_refused(signature, change, message):
    document = {**json.loads(signature.to_bytes()), **change}

    with pytest.raises(ManifestError, match=message):
        Signature.from_bytes(json.dumps(document).encode())


def test_a_label_that_json_cannot_hold_is_refused(people_state):
    with pytest.raises(ModelError, match=f"got {2**60}"):
        signature_of(people_state, family_named("linear"), "binary", [0, 2**60])


@pytest.mark.parametrize("data", [b"[]", b"{}", b"not json"])
def test_other_json_is_refused(data):
    with pytest.raises(ManifestError):
        Signature.from_bytes(data)
