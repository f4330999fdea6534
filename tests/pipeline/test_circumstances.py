"""`mlops_ray.pipeline.circumstances`: what an envelope says of where a run ran, and what not."""

import dataclasses
import json
from pathlib import Path

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.manifest import Envelope, Spec
from mlops_ray.pipeline.circumstances import Circumstances
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.runtime.cluster import Cluster
from mlops_ray.storage import ObjectStore, digest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "breast_cancer.yaml"
SPEC = Spec.from_bytes((ROOT / "tests/golden/manifests/1.0/sealed/spec.json").read_bytes())
OWN = Cluster("127.0.0.1:1", cpus=2, nodes=1, is_own=True, ray_start_s=1.5, job_id="01000000")


@pytest.fixture
def objects(tmp_path) -> ObjectList:
    return ObjectList(ObjectStore(tmp_path / "store"))


def circumstances(root: Path, source: str = "sklearn:breast_cancer") -> Circumstances:
    loaded = load_config(CONFIG, overrides=[f"data.source={source}"])
    return Circumstances("20260101t000000-000000", loaded, root, source)


def sealed(found: Circumstances, objects: ObjectList) -> Envelope:
    return found.envelope(SPEC, objects, digest(b"log"), "sealed", None)


def test_the_list_of_packages_is_an_object_of_the_run(tmp_path, objects) -> None:
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")

    envelope = sealed(circumstances(tmp_path), objects)

    assert envelope.lock == digest(b"numpy==2.4.6\n")
    assert [item.role for item in envelope.objects if item.sha256 == envelope.lock] == ["lock"]
    assert envelope.spec_id == SPEC.digest


def test_cpu_time_and_job_are_those_of_the_cluster(tmp_path, objects) -> None:
    found = circumstances(tmp_path)
    found.cluster_found(OWN)
    found.cpu_s = 12.34

    assert sealed(found, objects).cpu_seconds == 12.3
    assert sealed(found, objects).ray_job_id == "01000000"


def test_on_a_cluster_that_was_joined_the_cpu_time_is_not_known(tmp_path, objects) -> None:
    found = circumstances(tmp_path)
    found.cluster_found(dataclasses.replace(OWN, is_own=False))
    found.cpu_s = 12.34

    assert sealed(found, objects).cpu_seconds is None


def test_what_is_not_known_is_left_out(tmp_path, objects, monkeypatch) -> None:
    monkeypatch.delenv("MLOPS_RAY_IMAGE_DIGEST", raising=False)
    content = sealed(circumstances(tmp_path), objects).to_json()
    unknown = {"parent", "read_at", "image_digest", "ray_job_id", "cpu_seconds", "error"}

    assert not content.keys() & unknown


def test_the_command_that_goes_on_names_no_place_of_the_machine() -> None:
    overrides = ["search.trials=3", "data.source=/home/ann/rows.csv", "name=it's"]
    loaded = load_config(CONFIG, overrides=overrides[:2])
    found = Circumstances("20260101t000000-000000", loaded, ROOT)

    assert found.command == (
        "mlops-ray run configs/breast_cancer.yaml --set search.trials=3 --set data.source=..."
    )
    assert dataclasses.replace(found, root=Path("/elsewhere")).command.startswith(
        "mlops-ray run breast_cancer.yaml"
    )


def test_what_is_told_stands_there(tmp_path, objects, monkeypatch) -> None:
    image = "sha256:" + "c" * 64
    monkeypatch.setenv("MLOPS_RAY_IMAGE_DIGEST", f"registry/name@{image}")
    found = circumstances(tmp_path)
    found.inputs_read()

    assert sealed(found, objects).image_digest == image
    assert sealed(found, objects).read_at is not None


@pytest.mark.parametrize(
    ("source", "recorded"),
    [
        ("data/rents.csv", "data/rents.csv"),
        ("{folder}/rents.csv", "rents.csv"),
        ("sklearn:breast_cancer", "sklearn:breast_cancer"),
    ],
)
def test_a_record_names_no_folder(tmp_path, objects, source, recorded) -> None:
    found = circumstances(tmp_path, source.format(folder=tmp_path))

    envelope = sealed(found, objects)

    assert envelope.source == recorded
    assert str(tmp_path) not in json.dumps(envelope.to_json())
