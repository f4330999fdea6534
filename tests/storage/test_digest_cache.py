"""`mlops_ray.storage.digest_cache`: it forgets too much rather than remember what is not so."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mlops_ray.storage.digest_cache as module
from mlops_ray.storage import digest, digest_file
from mlops_ray.storage.digest_cache import DigestCache

TICK_NS = 50_000_000


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes were read."""
    found: list[str] = []

    def counted(path: Path) -> str:
        found.append(path.name)
        return digest_file(path)

    monkeypatch.setattr(module, "digest_file", counted)
    return found


@pytest.fixture
def _settles_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds are not what these tests are about."""
    monkeypatch.setattr(module, "_RACY_NS", TICK_NS)


def _settled(path: Path, data: bytes) -> Path:
    """A file that has not changed for long enough, whatever its times say."""
    path.write_bytes(data)
    past = time.time_ns() - 60 * 10**9
    os.utime(path, ns=(past, past))
    while path.stat().st_ctime_ns > time.time_ns() - module._RACY_NS - TICK_NS:
        time.sleep(0.01)
    return path


@pytest.mark.usefixtures("_settles_fast")
def test_an_unchanged_file_is_read_once(tmp_path: Path, reads: list[str]) -> None:
    file, cache = _settled(tmp_path / "table", b"rows"), DigestCache(tmp_path / "digests.db")

    first = cache.digest_file(file)
    again = [cache.digest_file(file), DigestCache(tmp_path / "digests.db").digest_file(file)]

    assert [first, *again] == [digest(b"rows")] * 3
    assert reads == ["table"]


def test_a_change_of_equal_size_and_time_is_seen_by_ctime_or_inode(
    tmp_path: Path, reads: list[str]
) -> None:
    cache = DigestCache(tmp_path / "digests.db")
    edited, swapped = _settled(tmp_path / "edited", b"rows"), tmp_path / "swapped"
    swapped.write_bytes(b"rows")
    twin = tmp_path / "twin"
    twin.write_bytes(b"ROWS")
    past = edited.stat().st_mtime_ns
    for path in (swapped, twin):
        os.utime(path, ns=(past, past))
    _settled(tmp_path / "newest", b"")  # By now all of them are settled.
    assert {cache.digest_file(path) for path in (edited, swapped)} == {digest(b"rows")}
    reads.clear()

    edited.write_bytes(b"ROWS")
    os.utime(edited, ns=(past, past))
    twin.replace(swapped)

    assert edited.stat().st_mtime_ns == past
    assert {cache.digest_file(path) for path in (edited, swapped)} == {digest(b"ROWS")}
    assert reads == ["edited", "swapped"]


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_file_of_this_moment_or_of_the_future_is_never_remembered(
    tmp_path: Path, reads: list[str], seconds: int
) -> None:
    file, cache = tmp_path / "table", DigestCache(tmp_path / "digests.db")
    file.write_bytes(b"rows")
    moment = time.time_ns() + seconds * 10**9
    os.utime(file, ns=(moment, moment))

    cache.digest_file(file)
    file.write_bytes(b"ROWS")
    os.utime(file, ns=(moment, moment))

    assert cache.digest_file(file) == digest(b"ROWS")
    assert reads == ["table", "table"]


@pytest.mark.usefixtures("_settles_fast")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, cache = _settled(tmp_path / "table", b"rows"), DigestCache(tmp_path / "digests.db")

    def disturbed(path: Path) -> str:
        name = digest_file(path)
        path.write_bytes(b"ROWS")
        return name

    monkeypatch.setattr(module, "digest_file", disturbed)
    cache.digest_file(file)
    monkeypatch.setattr(module, "digest_file", digest_file)

    assert cache.digest_file(file) == digest(b"ROWS")


def _overwrite(path: Path) -> None:
    path.write_bytes(b"this is no database" * 400)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _flip_digest(path: Path) -> None:
    data = path.read_bytes()
    at = data.index(b"sha256:") + 10
    path.write_bytes(data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :])


def _lie(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE digests SET digest = ?", (digest(b"a lie"),))
    connection.close()


@pytest.mark.usefixtures("_settles_fast")
@pytest.mark.parametrize("damage", [_overwrite, _cut, _flip_digest, _lie, Path.unlink])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, reads: list[str], damage: object) -> None:
    assert callable(damage)
    path = tmp_path / "digests.db"
    file = _settled(tmp_path / "table", b"rows")
    first = DigestCache(path)
    first.digest_file(file)
    del first
    damage(path)

    found = [DigestCache(path).digest_file(file) for _ in range(3)]

    assert found == [digest(b"rows")] * 3
    assert reads[:2] == ["table", "table"]
    assert len(reads) <= 3


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "table").write_bytes(b"rows")

    assert DigestCache(tmp_path / "file" / "db").digest_file(tmp_path / "table") == digest(b"rows")


@pytest.mark.slow
def test_eight_processes_at_once_agree(tmp_path: Path) -> None:
    files = [tmp_path / f"table-{i}" for i in range(100)]
    for i, file in enumerate(files):
        file.write_bytes(b"row %d" % i)
    _settled(tmp_path / "newest", b"")
    code = (
        "import sys, pathlib\n"
        "from mlops_ray.storage.digest_cache import DigestCache\n"
        "cache = DigestCache(pathlib.Path(sys.argv[1]))\n"
        "for _ in range(3):\n"
        "    print(*[cache.digest_file(pathlib.Path(p)) for p in sys.argv[2:]])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "digests.db"), *map(str, files)]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(8)]
    answers = [process.communicate(timeout=120)[0].decode() for process in processes]

    wanted = " ".join(digest_file(file) for file in files)
    assert answers == [f"{wanted}\n" * 3] * 8
    with sqlite3.connect(tmp_path / "digests.db") as connection:
        assert connection.execute("SELECT count(*) FROM digests").fetchone() == (100,)
    connection.close()
