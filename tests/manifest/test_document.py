"""Spec, result and envelope: one identity, strict authors, readers that outlive versions."""

import json
from pathlib import Path

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.errors import ManifestError
from mlops_ray.manifest import CodeFacts, GateFacts, Result, Spec, SpecData, canonical_bytes
from mlops_ray.storage import digest

CONFIG = Path(__file__).parents[2] / "configs" / "breast_cancer.yaml"


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
    assert json.loads(data)["schema_version"] == "1.0"
    assert canonical_bytes(json.loads(data)) == data


def test_a_reader_takes_a_later_minor_version_with_unknown_fields(spec: Spec) -> None:
    content = json.loads(spec.to_bytes())
    content["schema_version"] = "1.7"
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
