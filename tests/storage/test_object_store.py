"""`mlops_ray.storage`: objects are whole or absent, and reads notice every change."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ray.errors import DigestMismatchError, ManifestError, StoreError
from mlops_ray.storage import ObjectStore, atomic_writer


def test_an_object_is_named_by_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)

    name = store.put(b"weights")

    assert name == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    assert store.path(name).name == name.removeprefix("sha256:")
    assert store.get(name) == b"weights"
    assert list(store.names()) == [name]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def test_a_flipped_byte_a_cut_and_a_missing_object_are_noticed_on_read(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    flipped, cut, gone, twin = (store.put(text) for text in (b"one", b"two", b"three", b"four"))
    _flip(store.path(flipped))
    store.path(cut).chmod(0o644)
    store.path(cut).write_bytes(b"")
    store.path(gone).unlink()

    for name in (flipped, cut, gone):
        with pytest.raises(DigestMismatchError, match=name):
            store.get(name)
        with pytest.raises(DigestMismatchError, match=name):
            store.verified_path(name)
    assert store.get(twin) == b"four"


def test_putting_a_damaged_object_again_heals_it(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    name = store.put(b"weights")
    _flip(store.path(name))

    assert store.put(b"weights") == name
    assert store.get(name) == b"weights"


def test_a_file_is_copied_under_its_digest(tmp_path: Path) -> None:
    source = tmp_path / "table.csv"
    source.write_bytes(b"a\r\n1\r\n" * 1000)
    store = ObjectStore(tmp_path / "store")

    name = store.put_file(source)

    assert store.get(name) == source.read_bytes()


def test_a_block_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def write_half() -> None:
        with atomic_writer(target) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert list(tmp_path.iterdir()) == []


def test_a_writer_killed_in_the_middle_leaves_no_torn_object(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time\n"
        "from mlops_ray.storage import atomic_writer\n"
        "with atomic_writer(pathlib.Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'half'); stream.flush(); print('written', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    target = tmp_path / "object"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)

    assert not target.exists()
    assert list(ObjectStore(tmp_path).names()) == []


@pytest.mark.skipif(os.geteuid() != 0 and not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "objects").write_bytes(b"a file where the folder should be")

    with pytest.raises(StoreError, match="nothing partial was left"):
        ObjectStore(tmp_path).put(b"weights")


@pytest.mark.parametrize("name", ["weights", "sha256:12", "sha256:" + "Z" * 64, "../etc/passwd"])
def test_only_digests_name_objects(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match="not a digest"):
        ObjectStore(tmp_path).path(name)


def test_records_are_replaced_whole_listed_and_deleted(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    store.put(b"an object")
    for key in ("runs/2/sealed.json", "runs/1/sealed.json", "stages/key-0.json"):
        store.write_record(key, b"old")
    store.write_record("runs/1/sealed.json", b"new")

    assert list(store.record_keys("runs/")) == ["runs/1/sealed.json", "runs/2/sealed.json"]
    assert list(store.record_keys("stages/key-")) == ["stages/key-0.json"]
    assert list(store.record_keys("absent/")) == []
    assert store.read_record("runs/1/sealed.json") == b"new"

    store.delete_record("runs/1/sealed.json")
    store.delete_record("runs/1/sealed.json")
    assert store.read_record("runs/1/sealed.json") is None
    assert list(store.record_keys("runs/")) == ["runs/2/sealed.json"]


def test_a_record_that_is_of_use_is_not_old(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    store.write_record("stages/key-0.json", b"{}")
    os.utime(tmp_path / "stages" / "key-0.json", (0, 0))
    assert store.record_used_at_s("stages/key-0.json") == 0

    store.mark_record_used("stages/key-0.json")
    store.mark_record_used("stages/absent.json")

    assert (store.record_used_at_s("stages/key-0.json") or 0) > 1e9
    assert store.record_used_at_s("stages/absent.json") is None


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../x", "objects/ab/cd", ""])
def test_a_record_stays_in_the_store_and_off_the_objects(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError, match="not a key"):
        ObjectStore(tmp_path / "store").write_record(key, b"x")


def test_what_is_held_is_there_or_not_and_sizes_are_told(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    name, absent = store.put(b"weights"), f"sha256:{'0' * 64}"

    assert (store.hold(name), store.hold(absent)) == (True, False)
    assert (store.is_whole(name), store.is_whole(absent)) == (True, False)
    assert store.size_bytes(name) == 7
    with pytest.raises(DigestMismatchError, match="missing"):
        store.size_bytes(absent)
    _flip(store.path(name))
    assert not store.is_whole(name)


def test_an_object_is_read_only_from_the_moment_it_has_its_name(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    (tmp_path / "file").write_bytes(b"of a file")

    names = [store.put(b"weights"), store.put_file(tmp_path / "file")]

    assert [store.path(name).stat().st_mode & 0o777 for name in names] == [0o444, 0o444]
