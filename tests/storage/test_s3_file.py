"""`mlops_ray.storage.s3_file` against a real S3 server process (moto)."""

from __future__ import annotations

import importlib.util
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from mlops_ray.errors import BusyError, SourceError
from mlops_ray.storage import DigestCache, digest
from mlops_ray.storage.s3_file import S3File

FAULTS = Path(__file__).parent.parent / "faults"
DATA = bytes(range(256)) * 40_000  # Ten megabytes: more than one piece.


def _tools() -> ModuleType:
    spec = importlib.util.spec_from_file_location("s3_campaign", FAULTS / "s3_campaign.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


s3 = _tools()


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.CREDENTIALS.items():
            patch.setenv(name, value)
        with s3.s3_server() as port:
            s3.make_bucket(port, "sales")
            yield port


@pytest.fixture
def raw(server: int) -> Any:
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server}", region_name="us-east-1")


@pytest.fixture
def file(server: int, raw: Any) -> S3File:
    raw.put_object(Bucket="sales", Key="a/rows.bin", Body=DATA)
    return S3File("sales", "a/rows.bin", "us-east-1", f"http://127.0.0.1:{server}")


def test_ranges_and_the_whole_are_those_of_a_file(file: S3File) -> None:
    with file.open() as stream, io.BytesIO(DATA) as twin:
        for offset, whence, size in ((5, 0, 7), (-9, 2, 99), (-30, 1, 10), (0, 0, -1), (0, 2, 1)):
            assert stream.seek(offset, whence) == twin.seek(offset, whence)
            assert stream.read(size) == twin.read(size)
            assert stream.tell() == twin.tell()
    assert b"".join(file.pieces()) == DATA
    assert file.digest() == digest(DATA)


def test_it_travels_without_credentials(file: S3File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-4711")

    data = pickle.dumps(file.pinned())

    assert b"planted" not in data
    assert pickle.loads(data).digest() == digest(DATA)


def test_a_key_that_was_replaced_or_removed_is_told_apart(file: S3File, raw: Any) -> None:
    pinned = file.pinned()
    with pinned.open() as stream:
        assert stream.read(3) == DATA[:3]

        raw.put_object(Bucket="sales", Key="a/rows.bin", Body=DATA[:-1] + b"!")
        for look in (pinned.head, pinned.digest, pinned.open):
            with pytest.raises(SourceError, match=r"rows\.bin: .*changed.*other bytes under the"):
                look()

        raw.put_object(Bucket="sales", Key="a/rows.bin", Body=DATA)
        assert pinned.digest() == digest(DATA)

        raw.delete_object(Bucket="sales", Key="a/rows.bin")
        with pytest.raises(SourceError, match="no such key"):
            pinned.head()


def test_a_key_that_shrinks_while_it_is_read_is_no_shorter_file(file: S3File, raw: Any) -> None:
    pinned = file.pinned()
    with pinned.open() as stream:
        raw.put_object(Bucket="sales", Key="a/rows.bin", Body=b"short")

        with pytest.raises(SourceError, match="changed"):
            stream.read()


def test_a_digest_is_remembered_until_the_key_changes(
    file: S3File, raw: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests, n_reads = DigestCache(tmp_path / "d.db"), []
    read = S3File.digest
    monkeypatch.setattr(S3File, "digest", lambda self: n_reads.append(1) or read(self))

    assert {digests.digest_file(file) for _ in range(3)} == {digest(DATA)}
    assert len(n_reads) == 1

    raw.put_object(Bucket="sales", Key="a/rows.bin", Body=b"other")
    assert digests.digest_file(file) == digest(b"other")


def test_a_broken_line_is_no_damaged_file(
    file: S3File, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_RAY_REMOTE_TIMEOUT_S", "60")
    with s3.fault_proxy(server, share=0.3, seed=4, kinds="reset") as (port, process):
        s3.drain(process)
        behind = S3File(file.bucket, file.key, file.region, f"http://127.0.0.1:{port}")
        assert behind.digest() == digest(DATA)


def test_a_server_that_does_not_answer_is_no_damaged_file(
    file: S3File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_RAY_REMOTE_TIMEOUT_S", "0.2")
    nobody = S3File(file.bucket, file.key, file.region, "http://127.0.0.1:1")

    with pytest.raises(BusyError, match="s3://sales/a/rows"):
        nobody.head()
