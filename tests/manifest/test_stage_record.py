"""`mlops_ray.manifest.stage_record`: a key sees all that can change a stage, and nothing else."""

import json

import pytest

from mlops_ray.manifest import ObjectFacts, StageRecord, key_of
from mlops_ray.storage import digest

MEMBERS = {
    "stage": "refit",
    "inputs": {"train": digest(b"train")},
    "params": {"max_depth": 3, "eta": 0.1, "missing": None},
    "code": {"mlops_ray/models/xgboost_family.py": digest(b"code")},
    "packages": {"xgboost": "3.2.0"},
}


def record(**changes) -> StageRecord:
    members = {**MEMBERS, **changes}
    return StageRecord(
        **members,
        key=key_of(**members),
        outputs={"bundle": digest(b"bundle")},
        objects=[ObjectFacts(role="bundle", sha256=digest(b"bundle"), size_bytes=6)],
    )


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "search"},
        {"inputs": {"train": digest(b"other rows")}},
        {"inputs": {"valid": digest(b"train")}},
        {"inputs": {}},
        {"params": {**MEMBERS["params"], "max_depth": 4}},
        {"params": {**MEMBERS["params"], "missing": 0}},
        {"code": {"mlops_ray/models/xgboost_family.py": digest(b"edited")}},
        {"code": {"mlops_ray/models/moved.py": digest(b"code")}},
        {"packages": {"xgboost": "3.2.1"}},
    ],
)
def test_a_change_of_anything_is_another_key_and_its_twin_is_not(change):
    twin = json.loads(json.dumps(MEMBERS))

    assert key_of(**{**MEMBERS, **change}) != key_of(**MEMBERS)
    assert key_of(**twin) == key_of(**MEMBERS)


def test_the_order_in_which_members_were_noted_does_not_matter():
    turned = {name: dict(reversed(MEMBERS["params"].items())) for name in ("params",)}

    assert key_of(**{**MEMBERS, **turned}) == key_of(**MEMBERS)


def test_a_record_survives_its_bytes():
    written = record()
    read = StageRecord.from_bytes(written.to_bytes())

    assert read == written
    assert read.digest == digest(written.to_bytes())
    assert read.is_under_its_key
    assert read.params == MEMBERS["params"]


@pytest.mark.parametrize("member", ["inputs", "params", "code", "packages", "stage"])
def test_a_record_that_was_edited_is_not_under_its_key(member):
    content = record().to_json()
    content[member] = "search" if member == "stage" else {"edited": digest(b"")}

    assert not StageRecord.model_validate(content).is_under_its_key
    assert record().is_under_its_key


def test_two_equal_stages_write_the_same_bytes():
    assert record().to_bytes() == record().to_bytes()
    assert record(packages={"xgboost": "3.3.0"}).to_bytes() != record().to_bytes()


def test_an_object_says_that_it_is_intermediate_only_where_it_is():
    lasting = ObjectFacts(role="bundle", sha256=digest(b""), size_bytes=0)
    matrix = ObjectFacts(role="matrix", sha256=digest(b""), size_bytes=0, intermediate=True)

    assert "intermediate" not in lasting.model_dump(mode="json")
    assert matrix.model_dump(mode="json")["intermediate"] is True
    assert ObjectFacts.model_validate(matrix.model_dump()).intermediate is True
