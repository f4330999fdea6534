"""`mlops_ray.storage.remote_store` against a real S3 server process (moto) behind a fault proxy."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from mlops_ray.errors import (
    BusyError,
    DigestMismatchError,
    MlopsRayError,
    NotPermittedError,
    StoreError,
)
from mlops_ray.storage import digest, remote_collect, remote_store
from mlops_ray.storage.location import RemoteLocation, parse_location

FAULTS = Path(__file__).parent.parent / "faults"
SECRET = "planted-4711"  # noqa: S105 - opens nothing
SEED = 3


def _tools() -> ModuleType:
    spec = importlib.util.spec_from_file_location("s3_campaign", FAULTS / "s3_campaign.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


s3 = _tools()
RemoteStore = s3.RemoteStore


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    patch = pytest.MonkeyPatch()
    for name, value in {**s3.CREDENTIALS, "AWS_SECRET_ACCESS_KEY": SECRET}.items():
        patch.setenv(name, value)
    with s3.s3_server() as port:
        for bucket in ("plain", "encrypted"):
            s3.make_bucket(port, bucket)
        yield port
    patch.undo()


@pytest.fixture
def place(server: int, request: pytest.FixtureRequest) -> RemoteLocation:
    """An empty store of the test's own."""
    return s3.location(server, "plain", hashlib.sha256(request.node.name.encode()).hexdigest()[:9])


@pytest.fixture
def store(place: RemoteLocation, tmp_path: Path) -> Any:
    return RemoteStore(tmp_path / "cache", place)


@pytest.fixture
def raw(server: int) -> Any:
    """The server by another client."""
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server}", region_name="us-east-1")


def behind(place: RemoteLocation, port: int) -> RemoteLocation:
    return s3.location(port, place.bucket, place.prefix)


def object_key(place: RemoteLocation, name: str) -> str:
    hexed = name.removeprefix("sha256:")
    return f"{place.prefix}/objects/{hexed[:2]}/{hexed}"


def test_another_machine_reads_what_was_put(
    store: Any, place: RemoteLocation, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(11 << 20))  # Sent in several parts.
    assert not store.is_made()
    small, large = store.put(b"weights"), store.put_file(source)
    assert not store.is_made()  # So far it could be an exported run that somebody uploaded.
    store.write_record("runs/1/sealed.json", b"{}")

    other = pickle.loads(pickle.dumps(RemoteStore(tmp_path / "elsewhere", place)))

    assert other.is_made()
    assert other.get(small) == b"weights"
    assert other.verified_path(large).read_bytes() == source.read_bytes()
    assert list(other.names()) == sorted([small, large])
    assert (other.size_bytes(small), other.size_bytes(large)) == (7, 11 << 20)
    assert other.read_record("runs/1/sealed.json") == b"{}"
    assert list(other.record_keys("runs/")) == ["runs/1/sealed.json"]


def test_records_are_replaced_and_deleted(store: Any) -> None:
    store.write_record("stages/key-1.json", b"first")
    store.write_record("stages/key-1.json", b"other")
    replaced = store.read_record("stages/key-1.json")
    store.delete_record("stages/key-1.json")

    assert replaced == b"other"
    assert store.read_record("stages/key-1.json") is None
    assert list(store.record_keys("stages/")) == []
    with pytest.raises(StoreError, match="not a key"):
        store.write_record("objects/aa/bb", b"")


def test_a_damaged_object_is_named_by_a_fresh_look_and_healed_by_a_put(
    store: Any, place: RemoteLocation, raw: Any, tmp_path: Path
) -> None:
    name, twin = store.put(b"weights"), store.put(b"whole")
    raw.put_object(Bucket="plain", Key=object_key(place, name), Body=b"weightz")

    assert store.is_whole(name)  # The cache has it.
    assert not store.fresh().is_whole(name)
    assert store.fresh().is_whole(twin)
    with pytest.raises(DigestMismatchError, match=rf"{name} is damaged"):
        RemoteStore(tmp_path / "elsewhere", place).get(name)
    assert store.put(b"weights") == name
    assert store.fresh().is_whole(name)


def test_a_missing_object_is_told_from_a_missing_bucket(
    store: Any, server: int, tmp_path: Path
) -> None:
    absent = digest(b"never put")
    nowhere = RemoteStore(tmp_path / "nowhere", s3.location(server, "no-such-bucket"))

    assert not store.has(absent)
    with pytest.raises(DigestMismatchError, match="missing from s3://plain"):
        store.get(absent)
    for ask in (lambda: nowhere.has(absent), lambda: list(nowhere.record_keys("runs/"))):
        with pytest.raises(StoreError, match="there is no bucket of s3://no-such-bucket/store"):
            ask()
    with pytest.raises(StoreError, match="there is no bucket"):
        nowhere.put(b"data")


def campaign(*options: str) -> dict[str, Any]:
    command = [sys.executable, str(FAULTS / "s3_campaign.py"), "--seed", str(SEED), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    print(done.stdout)  # noqa: T201 - shows the seed where a test fails
    return {"wrong": 0, "gave_up": 0, **json.loads(done.stdout)}


def test_with_a_fifth_of_requests_broken_no_wrong_byte_is_accepted() -> None:
    found = campaign("--objects", "12", "--share", "0.2")

    assert found["wrong"] == 0
    assert found["right"] + found["gave_up"] == 48
    assert found["right"] >= 46
    assert found["longest_s"] < 75


def test_the_campaign_sees_wrong_bytes_where_nobody_checks_them() -> None:
    flips = ("--objects", "6", "--share", "0.5", "--kinds", "flip_answer")

    checked, control = campaign(*flips), campaign(*flips, "--unchecked")

    assert checked["wrong"] == 0
    assert control["wrong"] > 0


@pytest.mark.parametrize(
    "kind",
    ["status_500", "status_503", "reset", "cut_answer", "flip_answer", "hang"],
)
def test_a_server_that_is_always_broken_ends_in_a_busy_error_within_the_time(
    kind: str,
    store: Any,
    place: RemoteLocation,
    server: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLOPS_RAY_REMOTE_TIMEOUT_S", "1.5")
    name = store.put(os.urandom(5_000))
    with s3.fault_proxy(server, 1.0, SEED, kind) as (port, _):
        victim = RemoteStore(tmp_path / "victim", behind(place, port))
        started = time.monotonic()
        with pytest.raises(BusyError, match="run the same command again") as caught:
            victim.get(name)
        wall_s = time.monotonic() - started

    assert wall_s < 12
    assert "failed tries" in caught.value.got
    assert not (tmp_path / "victim" / "objects").exists() or not [
        path for path in (tmp_path / "victim" / "objects").rglob("*") if path.is_file()
    ]


def test_answers_that_are_all_truncated_are_busy_and_neither_right_nor_damaged(
    store: Any, place: RemoteLocation, server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_RAY_REMOTE_TIMEOUT_S", "1.5")
    name = store.put(os.urandom(5_000))
    with s3.fault_proxy(server, 1.0, SEED, "short_answer") as (port, _):
        for number in range(3):
            victim = RemoteStore(tmp_path / f"victim-{number}", behind(place, port))
            # The client fills up with what its memory held, three times the same to be sure.
            with pytest.raises(BusyError):
                victim.get(name)
            assert not victim.path(name).exists()


def test_an_object_that_shows_up_late_after_a_put_is_waited_for(
    place: RemoteLocation, server: int, tmp_path: Path
) -> None:
    with s3.fault_proxy(server, 1.0, SEED, "not_found_after_put") as (port, _):
        late = RemoteStore(tmp_path / "late", behind(place, port))
        name = late.put(b"weights")
        late.write_record("runs/1/sealed.json", b"{}")
        read = RemoteStore(tmp_path / "reader", behind(place, port)).get(name)

    assert read == b"weights"


def test_a_refusal_is_not_tried_again(place: RemoteLocation, server: int, tmp_path: Path) -> None:
    with s3.fault_proxy(server, 1.0, SEED, "status_403") as (port, process):
        refused = RemoteStore(tmp_path / "refused", behind(place, port))
        with pytest.raises(NotPermittedError, match=r"not permitted to look for.*AWS_PROFILE"):
            refused.has(digest(b"any"))
        process.kill()
        requests = process.stdout.read().splitlines()

    assert len(requests) == 1


WRITER = """
import os, sys
from pathlib import Path
from mlops_ray.storage.location import parse_location
from mlops_ray.storage.remote_store import RemoteStore
store = RemoteStore(Path(sys.argv[1]), parse_location(sys.argv[2]))
name = store.put(os.urandom(int(sys.argv[3])))
store.write_record("runs/1/sealed.json", name.encode())
"""


@pytest.mark.parametrize("size_bytes", [3_000, 12 << 20])
def test_a_writer_killed_in_the_middle_of_an_upload_leaves_nothing_visible(
    size_bytes: int, store: Any, place: RemoteLocation, server: int, tmp_path: Path
) -> None:
    with s3.fault_proxy(server, 1.0, SEED, "hang_put") as (port, process):
        url = behind(place, port).url
        command = [sys.executable, "-c", WRITER, str(tmp_path / "dead"), url, str(size_bytes)]
        with subprocess.Popen(command) as writer:
            while not process.stdout.readline().startswith("hang PUT"):
                assert writer.poll() is None
            writer.kill()

    assert list(store.names()) == []
    assert list(store.record_keys("")) == []


def test_encryption_that_the_url_wants_is_proven_or_nothing_is_written(
    server: int, raw: Any, tmp_path: Path
) -> None:
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k-1"}
    }
    raw.put_bucket_encryption(
        Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )

    def opened(bucket: str, options: str) -> Any:
        url = s3.location(server, bucket, "sse").url + options
        return RemoteStore(tmp_path / "cache", parse_location(url))

    proven = opened("encrypted", "&sse=aws:kms&kms_key_id=k-1")
    name = proven.put(b"weights")
    proven.write_record("runs/1/sealed.json", b"{}")
    for bucket, options in (
        ("plain", "&sse=AES256"),
        ("plain", "&sse=aws:kms"),
        ("encrypted", "&sse=AES256"),
        ("encrypted", "&sse=aws:kms&kms_key_id=k-2"),
    ):
        with pytest.raises(StoreError, match=r"does not encrypt.*put-bucket-encryption"):
            opened(bucket, options).put(b"secret weights")

    head = raw.head_object(Bucket="encrypted", Key=object_key(proven.location, name))
    assert head["ServerSideEncryption"] == "aws:kms"
    assert proven.fresh().get(name) == b"weights"
    listed = raw.list_objects_v2(Bucket="plain", Prefix="sse/")["Contents"]
    assert [item["Key"] for item in listed] == ["sse/encryption-probe"]


def test_secrets_are_in_no_file_and_no_message(
    store: Any, server: int, place: RemoteLocation, raw: Any, tmp_path: Path
) -> None:
    messages: list[str] = []

    def failing(do: Callable[[], object]) -> None:
        with pytest.raises(MlopsRayError) as caught:
            do()
        messages.append(repr(caught.value) + str(caught.value) + repr(caught.value.__cause__))

    store.write_record("runs/1/sealed.json", store.put(b"weights").encode())
    failing(lambda: store.get(digest(b"absent")))
    failing(
        lambda: RemoteStore(tmp_path / "cache", s3.location(server, "no-such-bucket")).put(b"x")
    )
    failing(lambda: parse_location(f"s3://id:{SECRET}@plain/{place.prefix}"))
    with s3.fault_proxy(server, 1.0, SEED, "status_403") as (port, _):
        failing(lambda: RemoteStore(tmp_path / "cache", behind(place, port)).put(b"y"))

    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    listed = raw.list_objects_v2(Bucket="plain", Prefix=place.prefix)["Contents"]
    files += [raw.get_object(Bucket="plain", Key=o["Key"])["Body"].read() for o in listed]
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert len(files) >= 4
    assert not any(SECRET.encode() in data for data in files)
    assert not any(SECRET in message for message in messages)
    assert SECRET.encode() not in pickle.dumps(store)


@pytest.mark.parametrize(
    ("kinds", "url", "code", "words"),
    [
        (
            "status_500",
            "s3://plain/x?endpoint_override=http://127.0.0.1:{port}",
            75,
            "same command",
        ),
        ("reset", "s3://plain/x?endpoint_override=http://127.0.0.1:{port}", 75, "same command"),
        (
            "",
            "s3://no-such-bucket/x?endpoint_override=http://127.0.0.1:{port}",
            74,
            "make the bucket",
        ),
        ("", f"s3://id:{SECRET}@plain/x", 2, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_the_command_line_says_what_to_do(
    kinds: str, url: str, code: int, words: str, server: int, tmp_path: Path
) -> None:
    share = 1.0 if kinds else 0.0
    with s3.fault_proxy(server, share, SEED, kinds) as (port, _):
        done = subprocess.run(
            [sys.executable, "-m", "mlops_ray", "runs", "ls", "--store", url.format(port=port)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "MLOPS_RAY_REMOTE_TIMEOUT_S": "2"},
            check=False,
        )

    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_only_old_garbage_is_collected_and_what_is_relied_on_gets_young_again(
    store: Any, place: RemoteLocation, server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, garbage = store.put(b"kept"), store.put(b"garbage")
    young = remote_collect.collect_remote_garbage(store, lambda: {kept})
    dry = remote_collect.collect_remote_garbage(store, lambda: {kept}, dry_run=True, grace_s=-9)
    names_before = list(store.names())
    with s3.fault_proxy(server) as (port, process):
        writer = RemoteStore(tmp_path / "writer", behind(place, port))
        assert writer.hold(garbage)
        monkeypatch.setattr(remote_store, "GRACE_S", -9.0)
        assert writer.hold(garbage)
        writer.put(b"garbage")
        monkeypatch.undo()
        process.kill()
        renewals = process.stdout.read().count(" PUT ")
    old = remote_collect.collect_remote_garbage(store, lambda: {kept}, grace_s=-9)

    assert (young.names, dry.names) == ((), (garbage,))
    assert names_before == sorted([kept, garbage])
    assert renewals == 2
    assert (old.names, old.n_kept, old.freed_bytes) == ((garbage,), 1, 7)
    assert list(store.names()) == [kept]
    assert remote_collect.check_remote_store(store, read_data=True).problems == []


def test_local_commands_do_not_load_the_s3_client() -> None:
    code = (
        "import sys; from mlops_ray.storage import find_workspace; from pathlib import Path;"
        "find_workspace(Path('/tmp')).store; sys.exit('pyarrow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
