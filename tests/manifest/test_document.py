"""Spec, result and envelope: one identity, strict authors, readers that outlive versions."""

import copy
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.errors import ManifestError
from mlops_ray.manifest import (
    CodeFacts,
    Envelope,
    GateFacts,
    Result,
    Spec,
    SpecData,
    StageRecord,
    canonical_bytes,
)
from mlops_ray.manifest.document import Document
from mlops_ray.storage import digest

CONFIG = Path(__file__).parents[2] / "configs" / "breast_cancer.yaml"
GOLDEN = Path(__file__).parents[1] / "golden" / "manifests"
KINDS: dict[str, type[Document]] = {
    "spec": Spec,
    "result": Result,
    "envelope": Envelope,
    "stage": StageRecord,
}
# Each with the id that it had in the store it was written to.
WRITTEN = [
    pytest.param(
        path.parent / f"{kind}.json",
        kind,
        name,
        id=f"{path.parent.parent.name}-{path.parent.name}-{kind}",
    )
    for path in sorted(GOLDEN.rglob("ids.json"))
    for kind, name in json.loads(path.read_text()).items()
]


def later_minor(content: dict[str, Any]) -> dict[str, Any]:
    """A document as a later minor version might write it: unknown members at every depth."""
    later: Any = copy.deepcopy(content)
    later["schema_version"] = "1.9"
    later["novel"] = {"deep": [1, None]}
    later["unset"] = None
    for member in list(later.values()):
        parts = member if isinstance(member, list) else [member]
        for part in parts:
            if isinstance(part, dict) and not all(isinstance(v, dict) for v in part.values()):
                part["unknown"] = "yes" if all(isinstance(v, str) for v in part.values()) else 1.5
    return later


@pytest.fixture
def spec() -> Spec:
    config = load_config(CONFIG).config
    return Spec(
        name=config.name,
        owner=config.owner,
        objective=config.objective,
        seed=config.seed,
        seeds={"split": str(2**62)},
        data=SpecData(
            inputs=[], columns={}, task="binary", target="target", key=["row"], order_by=[]
        ),
        split=config.split,
        features=[],
        model=config.model,
        search=config.search,
        gates=config.gates,
        register_=config.register_,
        serve=config.serve,
        monitor=config.monitor,
        code=CodeFacts(tree=digest(b""), n_files=0),
        packages={"python": "3.11.7"},
    )


def test_the_id_of_a_document_is_the_sha256_of_its_canonical_bytes(spec: Spec) -> None:
    data = spec.to_bytes()

    assert spec.digest == digest(data)
    assert Spec.from_bytes(data).to_bytes() == data
    assert json.loads(data)["schema"] == "mlops-ray/spec/v1"
    assert json.loads(data)["schema_version"] == "1.11"
    assert canonical_bytes(json.loads(data)) == data


def test_a_reader_takes_a_later_minor_version_with_unknown_fields(spec: Spec) -> None:
    content = json.loads(spec.to_bytes())
    content["schema_version"] = "1.12"
    content["novel"] = {"deep": [1]}
    content["search"]["pruner"] = "halving"
    content["data"]["inputs"] = [
        {"name": "a", "format": "csv", "sha256": "x", "size_bytes": 1, "etag": "y"}
    ]

    read = Spec.from_bytes(canonical_bytes(content))

    assert read.search.trials == spec.search.trials
    assert read.data.inputs[0].name == "a"
    assert read.to_json()["novel"] == {"deep": [1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": "2.0"}, "unknown major version"),
        ({"schema": "mlops-ray/result/v1"}, "another kind"),
        ({"seed": "many"}, "seed"),
    ],
)
def test_a_reader_refuses_what_it_cannot_understand(
    spec: Spec, change: dict[str, str], message: str
) -> None:
    content = {**json.loads(spec.to_bytes()), **change}

    with pytest.raises(ManifestError, match=message):
        Spec.from_bytes(canonical_bytes(content))


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff", b'{"schema": 1}'])
def test_bytes_that_are_no_document_are_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        Spec.from_bytes(data)


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([], "UNKNOWN"),
        (["PASS", "PASS"], "PASS"),
        (["PASS", "UNKNOWN"], "UNKNOWN"),
        (["UNKNOWN", "FAIL"], "FAIL"),
    ],
)
def test_nothing_is_green_because_nothing_ran(verdicts: list[str], overall: str) -> None:
    gates = [
        GateFacts(
            metric="roc_auc", comparator=">=", threshold=0.9, verdict=verdict, evidence="sha256:0"
        )
        for verdict in verdicts
    ]

    assert Result.model_construct(gates=gates).verdict == overall


@pytest.mark.parametrize(("path", "kind", "name"), WRITTEN)
def test_documents_of_every_version_are_read_and_keep_their_ids(path, kind, name) -> None:
    data = path.read_bytes()
    read = KINDS[kind].from_bytes(data)

    assert digest(data) == name
    assert read.digest == name
    assert read.to_bytes() == data
    assert canonical_bytes(read.to_json()) == data


def test_there_are_documents_of_every_kind_and_state_to_be_read() -> None:
    kinds = {parameters.values[1] for parameters in WRITTEN}
    states = {path.parent.name for path in GOLDEN.rglob("ids.json")}

    assert kinds == set(KINDS)
    assert {"sealed", "rejected", "failed"} <= states


@pytest.mark.parametrize(("path", "kind", "name"), WRITTEN)
def test_a_later_minor_version_keeps_its_id_and_all_it_says(path, kind, name) -> None:
    content = later_minor(json.loads(path.read_bytes()))
    data = canonical_bytes(content)

    read = KINDS[kind].from_bytes(data)

    assert read.digest == digest(data) != name
    assert read.to_bytes() == data
    assert read.to_json() == content
    assert KINDS[kind].from_bytes(read.to_bytes()) == read


@pytest.mark.parametrize(("path", "kind", "_name"), WRITTEN)
def test_a_document_of_the_next_major_version_is_refused(path, kind, _name) -> None:
    content = {**json.loads(path.read_bytes()), "schema_version": "2.0"}

    with pytest.raises(ManifestError, match=r"unknown major version: got '2\.0'.*later one"):
        KINDS[kind].from_bytes(canonical_bytes(content))


def test_unknown_members_inside_parts_are_kept_beside_the_known() -> None:
    content = json.loads((GOLDEN / "1.0" / "sealed" / "envelope.json").read_bytes())
    content["stages"][0]["novel"] = {"a": 1}
    content["objects"][0]["novel"] = "b"

    read = Envelope.from_bytes(canonical_bytes(content))

    assert read.stages[0].name == "ingest"
    assert read.stages[0].model_extra == {"novel": {"a": 1}}
    assert read.objects[0].model_extra == {"novel": "b"}


def test_the_id_is_that_of_the_bytes_even_where_they_are_not_canonical(spec: Spec) -> None:
    spaced = json.dumps(spec.to_json(), indent=2).encode()

    read = Spec.from_bytes(spaced)

    assert read.digest == digest(spaced) != spec.digest
    assert read.to_json() == spec.to_json()


def test_a_copy_with_another_field_is_another_document(spec: Spec) -> None:
    read = Spec.from_bytes(spec.to_bytes())

    assert read.model_copy(update={"seed": 8}).digest != read.digest
    assert read.model_copy(update={"seed": 8}).to_json()["seed"] == 8
    assert read.model_copy().digest == read.digest


def test_a_document_that_travelled_is_the_same_document(spec: Spec) -> None:
    content = {**spec.to_json(), "schema_version": "1.9", "novel": 1}
    read = Spec.from_bytes(canonical_bytes(content))

    travelled = pickle.loads(pickle.dumps(read))

    assert travelled.digest == read.digest
    assert travelled == read
    assert {travelled, read} == {read}
    assert read != spec


def test_what_is_absent_has_one_form(spec: Spec) -> None:
    absent = spec.model_copy(update={"register_": None, "environment": None})
    left_out = {k: v for k, v in spec.to_json().items() if k not in {"register", "environment"}}

    assert absent.to_json() == left_out
    assert Spec.model_validate(left_out).digest == absent.digest


def test_a_best_value_that_is_no_number_can_be_written_and_read() -> None:
    content = json.loads((GOLDEN / "1.0" / "sealed" / "result.json").read_bytes())
    content["search"]["best_value"] = math.nan
    result = Result.model_validate(content)

    read = Result.from_bytes(result.to_bytes())

    assert b'"best_value":{"$float":"nan"}' in result.to_bytes()
    assert math.isnan(read.search.best_value)
