"""`mlops_ray.storage.atomic`: killed at any point, a writer leaves the old content or the new."""

import ast
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mlops_ray.storage.atomic as module
from mlops_ray.cli.exit_codes import exit_code
from mlops_ray.errors import StoreError
from mlops_ray.storage import ObjectStore, digest, sweep_temporaries, write_atomically
from mlops_ray.storage.check import check_store
from mlops_ray.storage.collect import collect_garbage

CODE = """
import sys, pathlib
from mlops_ray.storage import write_atomically
write_atomically(pathlib.Path(sys.argv[1]), b"new content")
"""
POINTS = [
    node.args[0].value
    for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
    if isinstance(node, ast.Call)
    and isinstance(node.func, ast.Name)
    and node.func.id == "fail_point"
    and isinstance(node.args[0], ast.Constant)
]
DEADLINE_S = 60.0


PUT = """
import sys, pathlib
from mlops_ray.storage import ObjectStore
ObjectStore(pathlib.Path(sys.argv[1]).parent).put(b"weights")
"""


def _stopped(target: Path, point: object, code: str = CODE) -> subprocess.Popen[bytes]:
    reached = target.parent.parent / "reached"
    points = {"MLOPS_RAY_FAIL_POINT": str(point), "MLOPS_RAY_FAIL_POINT_REACHED": str(reached)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target)], env={**os.environ, **points}
    )
    deadline = time.monotonic() + DEADLINE_S
    while not reached.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert int(reached.read_text()) == process.pid
    return process


def test_every_step_of_a_write_has_a_fail_point() -> None:
    steps = {"atomic.created", "atomic.written", "atomic.synced", "atomic.renamed"}

    assert len(POINTS) == len(steps)
    assert set(POINTS) == steps


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_writer_leaves_old_or_new_and_its_temporary_is_swept(
    tmp_path: Path, point: str
) -> None:
    target = tmp_path / "store" / "record.json"
    write_atomically(target, b"old content")

    with _stopped(target, point) as process:
        n_of_living = sweep_temporaries(target.parent)
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)

    is_new = point == "atomic.renamed"
    assert n_of_living == 0
    assert target.read_bytes() == (b"new content" if is_new else b"old content")
    assert sweep_temporaries(target.parent, dry_run=True) == (0 if is_new else 1)
    assert sweep_temporaries(target.parent) == (0 if is_new else 1)
    assert [path.name for path in target.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_put_leaves_no_object_or_a_whole_one(tmp_path: Path, point: str) -> None:
    store, name = ObjectStore(tmp_path / "store"), digest(b"weights")

    with _stopped(store.root / "any", point, PUT) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)

    assert list(store.names()) == ([name] if point == "atomic.renamed" else [])
    assert check_store(store, read_data=True).problems == []
    assert collect_garbage(store, set).n_temporaries == (point != "atomic.renamed")
    assert list(store.names()) == []
    assert store.get(store.put(b"weights")) == b"weights"


def test_a_writer_whose_folder_is_swept_meanwhile_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "store" / "record.json"

    with _stopped(target, "atomic.synced") as process:
        assert sweep_temporaries(target.parent) == 0
        (tmp_path / "reached").unlink()
        assert process.wait(DEADLINE_S) == 0

    assert target.read_bytes() == b"new content"


def test_a_sweep_leaves_alone_what_it_did_not_make(tmp_path: Path) -> None:
    kept = [".tmp-notes", ".tmp-0123456789abcdef.py", "x.tmp-0123456789abcdef"]
    for name in [*kept, ".tmp-0123456789abcdef"]:
        (tmp_path / name).touch()
    (tmp_path / ".tmp-fedcba9876543210").mkdir()

    assert sweep_temporaries(tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} == {*kept, ".tmp-fedcba9876543210"}


@pytest.mark.parametrize("is_room", [True, False])
def test_a_full_disk_is_said_and_leaves_nothing_partial(tmp_path: Path, is_room: bool) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("LEFT OUT: no file system can be mounted here")
    try:
        store = ObjectStore(folder)
        kept = store.put(b"before")
        data = os.urandom(2**18 if is_room else 2**22)
        if is_room:
            assert store.get(store.put(data)) == data
            return
        source = tmp_path / "large"
        source.write_bytes(data)
        for write in (lambda: store.put(data), lambda: store.put_file(source)):
            with pytest.raises(StoreError, match="No space left") as caught:
                write()
            assert exit_code(caught.value) == 74
        assert list(store.names()) == [kept]
        assert list(folder.rglob(".tmp-*")) == []
        assert store.get(store.put(b"after")) == b"after"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


def test_a_file_that_may_not_grow_further_is_said(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    kept = store.put(b"before")
    data = bytes(2**20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        with pytest.raises(StoreError, match="File too large"):
            store.put(data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list(store.names()) == [kept]
    assert list(tmp_path.rglob(".tmp-*")) == []
    assert store.put(data) == digest(data)
