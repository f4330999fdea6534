"""`mlops_ray.pipeline.reasons`: every member of a key, changed alone, gives the one reason."""

import pytest

from mlops_ray.manifest import StageRecord
from mlops_ray.pipeline.reasons import Reason, reasons_between

MEMBERS = {
    "inputs": {"file:a.csv": "sha256:1", "ingest.scan": "sha256:2"},
    "params": {"seed": "7", "data": {"key": ["id"]}, "gates": [{"at_least": 0.5}]},
    "code": {"mlops_ray/a.py": "sha256:3", "mlops_ray/b.py": "sha256:4"},
    "packages": {"numpy": "2.0", "xgboost": "3.0"},
}
BEFORE = StageRecord(stage="search", key="sha256:5", outputs={}, objects=[], **MEMBERS)


def test_of_equal_members_there_is_no_reason() -> None:
    assert reasons_between(BEFORE, MEMBERS) == []


@pytest.mark.parametrize(
    ("member", "changed", "reason"),
    [
        ("inputs", {"file:a.csv": "sha256:9"}, Reason("data", "a.csv")),
        ("inputs", {"file:b.csv": "sha256:9"}, Reason("data", "b.csv")),
        ("params", {"seed": "8"}, Reason("config", "seed")),
        ("params", {"data": {"key": ["no"]}}, Reason("config", "data.key[0]")),
        ("params", {"data": {"key": ["id", "no"]}}, Reason("config", "data.key")),
        ("params", {"data": {"key": ["id"], "time": "t"}}, Reason("config", "data.time")),
        ("params", {"gates": [{"at_least": 0.6}]}, Reason("config", "gates[0].at_least")),
        ("code", {"mlops_ray/b.py": "sha256:9"}, Reason("code", "mlops_ray/b.py")),
        ("code", {"mlops_ray/c.py": "sha256:9"}, Reason("code", "mlops_ray/c.py")),
        ("packages", {"numpy": "2.1"}, Reason("environment", "numpy 2.0 -> 2.1")),
        ("packages", {"skops": "1"}, Reason("environment", "skops absent -> 1")),
    ],
)
def test_one_change_is_named_alone(member, changed, reason) -> None:
    now = {**MEMBERS, member: {**MEMBERS[member], **changed}}

    assert reasons_between(BEFORE, now) == [reason]


def test_what_went_is_named_too() -> None:
    now = {
        "inputs": {"ingest.scan": "sha256:2"},
        "params": {"seed": "7", "data": {"key": ["id"]}},
        "code": {"mlops_ray/a.py": "sha256:3"},
        "packages": {"numpy": "2.0"},
    }

    assert reasons_between(BEFORE, now) == [
        Reason("code", "mlops_ray/b.py"),
        Reason("config", "gates"),
        Reason("data", "a.csv"),
        Reason("environment", "xgboost 3.0 -> absent"),
    ]


def test_an_output_of_another_stage_is_no_reason_of_its_own() -> None:
    inputs = {**MEMBERS["inputs"], "ingest.scan": "sha256:9"}

    assert reasons_between(BEFORE, {**MEMBERS, "inputs": inputs}) == []
