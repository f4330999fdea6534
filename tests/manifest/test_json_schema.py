"""`mlops_ray.manifest.json_schema`: the published files are what the models say, and they hold."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mlops_ray.manifest import Result, StageRecord, key_of
from mlops_ray.manifest.json_schema import KINDS, json_schema, schema_files

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "schemas"
GOLDEN = sorted(
    path for path in (ROOT / "tests/golden/manifests").rglob("*.json") if path.name != "ids.json"
)


def problems(kind: str, content: object) -> list[str]:
    found = Draft202012Validator(json_schema(kind)).iter_errors(content)
    return [error.json_path for error in found]


def test_the_published_files_are_those_that_the_models_give() -> None:
    published = {path.name: path.read_bytes() for path in PUBLISHED.iterdir()}

    assert published == schema_files(), (
        "run `python -m mlops_ray.manifest.json_schema docs/schemas`, see docs/decisions/0007"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_names_members_as_documents_do(kind: str) -> None:
    schema = json_schema(kind)

    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema"]["const"] == f"mlops-ray/{kind}/v1"
    assert {"schema", "schema_version"} <= set(schema["required"])
    assert '_":' not in json.dumps(schema)


def test_the_alias_of_a_registration_stands_under_its_json_name() -> None:
    assert "register" in json_schema("spec")["properties"]


@pytest.mark.parametrize(
    "path", GOLDEN, ids=lambda p: f"{p.parent.parent.name}-{p.parent.name}-{p.stem}"
)
def test_written_documents_fit_and_a_later_minor_version_does(path: Path) -> None:
    content = json.loads(path.read_bytes())
    later = {**copy.deepcopy(content), "schema_version": "1.9", "novel": {}}
    if later.get("objects"):
        later["objects"][0]["novel"] = 1
    if "search" in later:
        later["search"]["novel"] = 1

    assert problems(path.stem, content) == []
    assert problems(path.stem, later) == []


@pytest.mark.parametrize(
    ("kind", "change", "place"),
    [
        ("spec", {"schema": "mlops-ray/result/v1"}, "$.schema"),
        ("spec", {"schema_version": "2.0"}, "$.schema_version"),
        ("spec", {"seed": "7"}, "$.seed"),
        ("spec", {"packages": None}, "$.packages"),
        ("result", {"determinism": "luck"}, "$.determinism"),
        ("envelope", {"state": "unknown"}, "$.state"),
        ("envelope", {"objects": [{"role": "spec"}]}, "$.objects[0]"),
    ],
)
def test_what_no_reader_takes_does_not_fit(kind: str, change: dict, place: str) -> None:
    content = json.loads((ROOT / f"tests/golden/manifests/1.0/sealed/{kind}.json").read_bytes())

    assert set(problems(kind, {**content, **change})) == {place}
    assert problems(kind, content) == []


def test_a_number_that_json_cannot_hold_fits_under_its_tag() -> None:
    content = json.loads((ROOT / "tests/golden/manifests/1.0/sealed/result.json").read_bytes())
    content["search"]["best_value"] = {"$float": "nan"}

    assert problems("result", content) == []
    assert Result.model_validate({**content, "search": {**content["search"], "best_value": 1.0}})
    content["search"]["best_value"] = {"$float": "many"}
    assert problems("result", content) == ["$.search.best_value"]


def test_the_record_of_a_stage_fits() -> None:
    members = {"stage": "gate", "inputs": {}, "params": [1], "code": {}, "packages": {}}
    record = StageRecord(**members, key=key_of(**members), outputs={}, objects=[], engine="driver")

    assert problems("stage", json.loads(record.to_bytes())) == []
    assert problems("stage", {**record.to_json(), "key": 1}) == ["$.key"]
