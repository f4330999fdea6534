"""Runs in a remote store: another machine lists, shows and verifies what lies there."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlops_ray.errors import ManifestError, StoreError
from mlops_ray.manifest import RunRecord, find_run, list_runs, verify_run
from mlops_ray.storage import find_workspace

S3_TOOLS = Path(__file__).parent.parent / "faults" / "s3_campaign.py"


def _tools() -> ModuleType:
    spec = importlib.util.spec_from_file_location("s3_campaign", S3_TOOLS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    patch = pytest.MonkeyPatch()
    tools = _tools()
    for name, value in tools.CREDENTIALS.items():
        patch.setenv(name, value)
    with tools.s3_server() as port:
        tools.make_bucket(port, "runs")
        yield port
    patch.undo()


@pytest.fixture
def url(server: int, tmp_path: Path) -> str:
    return f"s3://runs/{tmp_path.name}?region=us-east-1&endpoint_override=http://127.0.0.1:{server}"


@pytest.fixture
def remote(small: Any, url: str, tmp_path: Path) -> Any:
    """A sealed run in a bucket, written by one machine."""
    return type(small)(find_workspace(tmp_path / "machine-a", url)).seal()


def test_another_machine_lists_shows_and_verifies_a_run(
    remote: Any, url: str, tmp_path: Path
) -> None:
    elsewhere = find_workspace(tmp_path / "machine-b", url)

    assert [record.run_id for record in list_runs(elsewhere)] == [remote.run_id]
    found = find_run(elsewhere, "latest")
    assert found.state() == "sealed"
    assert found.envelope() == remote.record.envelope()
    assert verify_run(found).problems == []
    assert found.log_bytes() == b'{"event":"run_ended"}\n'
    assert not (elsewhere.runs / remote.run_id / "sealed.json").exists()


def test_verify_looks_at_the_bucket_and_not_at_the_cache(remote: Any) -> None:
    store, envelope = remote.workspace.store, remote.record.envelope()
    before = verify_run(remote.record)
    bundle_file = next(o for o in envelope.objects if o.role == "bundle model.json")
    hexed = bundle_file.sha256.removeprefix("sha256:")
    store.bucket.write(f"objects/{hexed[:2]}/{hexed}", b"x" * bundle_file.size_bytes)

    after = verify_run(remote.record)

    assert store.is_whole(bundle_file.sha256)  # By the cache.
    assert before.problems == []
    assert [problem.object for problem in after.problems] == [bundle_file.sha256]


def test_an_object_that_the_bucket_lost_is_uploaded_again_before_the_pointer(
    small: Any, url: str, tmp_path: Path
) -> None:
    run = type(small)(find_workspace(tmp_path / "machine-a", url))
    envelope = run.envelope()
    lost = envelope.objects[0].sha256
    hexed = lost.removeprefix("sha256:")
    run.workspace.store.bucket.delete(f"objects/{hexed[:2]}/{hexed}")

    run.seal(envelope)

    assert run.workspace.store.has(lost)
    assert verify_run(run.record).problems == []


def test_no_pointer_is_written_to_a_run_that_lacks_an_object(
    small: Any, url: str, tmp_path: Path
) -> None:
    run = type(small)(find_workspace(tmp_path / "machine-a", url))
    envelope = run.envelope()
    run.workspace.store.delete(envelope.log)

    with pytest.raises(StoreError, match=rf"{envelope.log} is missing"):
        run.seal(envelope)

    assert list(run.workspace.store.record_keys("runs/")) == []
    with pytest.raises(ManifestError, match="no manifest"):
        RunRecord(run.workspace, run.run_id).envelope()
