"""`mlops_ray.storage.collect`: whatever a writer does, what it relies on is not deleted."""

import base64
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_ray.errors import ManifestError, StoreError
from mlops_ray.manifest import canonical_bytes
from mlops_ray.manifest.reachable import Roots
from mlops_ray.storage import ObjectStore, digest
from mlops_ray.storage.check import check_store
from mlops_ray.storage.collect import collect_garbage

CAMPAIGN = Path(__file__).parents[1] / "faults" / "store_campaign.py"
KEY = "runs/1/sealed.json"
DATA = b"relied on"
DEADLINE_S = 60.0

# A writer that finds the object there and writes a record that leads to it.
WRITER = f"""
import contextlib, sys, pathlib
from mlops_ray.manifest import canonical_bytes
from mlops_ray.storage import ObjectStore, lease
if "unguarded" in sys.argv:
    lease.Lease.note = lambda self, name: None
    lease.gate = lambda root, is_exclusive: contextlib.nullcontext()
with ObjectStore(pathlib.Path(sys.argv[1])).lease() as store:
    name = store.put({DATA!r})
    entry = {{"role": "part", "sha256": name, "size_bytes": {len(DATA)}}}
    envelope = store.put(canonical_bytes({{"objects": [entry]}}))
    store.write_record({KEY!r}, canonical_bytes({{"envelope": envelope}}))
"""
COLLECTOR = """
import sys, pathlib
from mlops_ray.manifest.reachable import Roots
from mlops_ray.storage import ObjectStore
from mlops_ray.storage.check import check_store
from mlops_ray.storage.collect import collect_garbage
store = ObjectStore(pathlib.Path(sys.argv[1]))
collect_garbage(store, Roots(store).reached)
"""


@contextmanager
def _process(
    code: str, root: Path, point: str = "", *more: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that stops at a fail point until the file that comes with it is removed."""
    reached = root.parent / f"reached-{len(list(root.parent.iterdir()))}"
    points = {"MLOPS_RAY_FAIL_POINT": point, "MLOPS_RAY_FAIL_POINT_REACHED": str(reached)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(root), *more], env={**os.environ, **points}
    ) as process:
        try:
            yield process, reached
            reached.unlink(missing_ok=True)
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _orphan(root: Path) -> str:
    """An object that no record reaches and no living process holds."""
    code = "import sys, pathlib; from mlops_ray.storage import ObjectStore\n"
    code += f"ObjectStore(pathlib.Path(sys.argv[1])).put({DATA!r})"
    with _process(code, root):
        pass
    return digest(DATA)


def _collect(root: Path) -> tuple[str, ...]:
    store = ObjectStore(root)
    return collect_garbage(store, Roots(store).reached).names


def test_what_nothing_reaches_is_deleted_and_the_rest_stays(tmp_path: Path) -> None:
    root = tmp_path / "store"
    orphan = _orphan(root)
    with _process(WRITER.replace("relied on", "another"), root):
        pass
    store = ObjectStore(root)

    looked = collect_garbage(store, Roots(store).reached, dry_run=True)
    assert store.has(orphan)
    done = collect_garbage(store, Roots(store).reached)

    assert looked.names == done.names == (orphan,)
    assert looked.freed_bytes == done.freed_bytes == len(DATA)
    assert done.n_kept == 2
    assert len(list(store.names())) == 2


@pytest.mark.parametrize("mode", ["guarded", "unguarded"])
def test_a_writer_between_its_look_and_its_record_keeps_an_orphan(
    tmp_path: Path, mode: str
) -> None:
    root = tmp_path / "store"
    orphan = _orphan(root)

    # It has found the orphan whole, and is about to write its envelope.
    with _process(WRITER, root, "atomic.created", mode) as (_, reached):
        _until(reached.exists)
        deleted = _collect(root)

    assert (orphan in deleted) == (mode == "unguarded")
    assert ObjectStore(root).has(orphan) == (mode == "guarded")


@pytest.mark.parametrize("point", ["collect.marked", "collect.journals_read"])
def test_a_writer_that_ends_while_a_collector_looks_loses_nothing(
    tmp_path: Path, point: str
) -> None:
    root = tmp_path / "store"
    orphan = _orphan(root)

    with _process(WRITER, root, "atomic.created") as (writer, writer_stands):
        _until(writer_stands.exists)  # It holds the orphan in its journal.
        with _process(COLLECTOR, root, point) as (_, collector_stands):
            _until(collector_stands.exists)
            # From here on it needs the gate only for its envelope.
            writer_stands.unlink()
            _until(lambda: writer.poll() is not None or _is_waiting(writer.pid))

    assert ObjectStore(root).get(orphan) == DATA


@pytest.mark.parametrize("mode", ["guarded", "unguarded"])
def test_a_writer_that_comes_during_a_deletion_sees_it(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "store"
    orphan = _orphan(root)

    with _process(COLLECTOR, root, "collect.delete") as (_, reached):
        _until(reached.exists)  # It has decided to delete the orphan.
        with _process(WRITER, root, "", mode) as (writer, _):
            _until(lambda: writer.poll() is not None or _is_waiting(writer.pid))
            assert (writer.poll() is None) == (mode == "guarded")
            reached.unlink()

    assert ObjectStore(root).has(orphan) == (mode == "guarded")


def _is_waiting(pid: int) -> bool:
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {pid} " in line for line in lines)


def test_a_worker_writes_under_the_lease_of_its_driver(tmp_path: Path) -> None:
    code = (
        "import sys, pickle, base64\n"
        "print(pickle.loads(base64.b64decode(sys.argv[2])).put(b'of a worker'))"
    )
    store = ObjectStore(tmp_path / "store")

    with store.lease() as driver:
        sent = base64.b64encode(pickle.dumps(driver)).decode()
        command = [sys.executable, "-c", code, "", sent]
        name = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        assert _collect(store.root) == ()
        assert store.has(name)

    late = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert b"lease" in late.stderr
    assert b"has ended" in late.stderr
    assert _collect(store.root) == (name,)


def test_a_lease_dies_with_its_process(tmp_path: Path) -> None:
    root = tmp_path / "store"
    orphan = _orphan(root)
    with pytest.raises(AssertionError), _process(WRITER, root, "atomic.created") as (writer, at):  # noqa: PT012 - the end is what fails
        _until(at.exists)
        assert _collect(root) == ()
        writer.kill()
        writer.wait(DEADLINE_S)

    assert orphan in _collect(root)
    assert list((root / "leases").iterdir()) == []
    assert list(root.rglob(".tmp-*")) == []


@pytest.mark.parametrize(
    "point", ["collect.marked", "collect.journals_read", "collect.delete", "collect.delete#2"]
)
def test_a_killed_collector_leaves_a_whole_store_and_an_open_gate(
    tmp_path: Path, point: str
) -> None:
    root = tmp_path / "store"
    _orphan(root)
    with _process(WRITER.replace("relied on", "another"), root):
        pass
    with _process(f"{COLLECTOR}\nstore.delete_record({KEY!r})", root):
        pass
    with _process(WRITER.replace("relied on", "a third"), root):
        pass
    with pytest.raises(AssertionError), _process(COLLECTOR, root, point) as (collector, at):  # noqa: PT012 - the end is what fails
        _until(at.exists)
        collector.kill()
        collector.wait(DEADLINE_S)

    store = ObjectStore(root)
    _collect(root)

    assert set(store.names()) == Roots(store).reached()
    assert len(Roots(store).reached()) == 2
    assert check_store(store, read_data=True).problems == []


def test_a_record_that_cannot_be_read_stops_the_collection(tmp_path: Path) -> None:
    root = tmp_path / "store"
    orphan = _orphan(root)
    store = ObjectStore(root)
    store.write_record(KEY, canonical_bytes({"envelope": "sha256:" + "0" * 64}))

    with pytest.raises(ManifestError, match=KEY):
        _collect(root)
    assert store.has(orphan)

    store.delete_record(KEY)
    assert _collect(root) == (orphan,)


def test_writing_after_the_lease_was_given_back_is_refused(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    with store.lease() as writer:
        writer.put(b"in time")

    with pytest.raises(StoreError, match="has ended"):
        writer.put(b"too late")
    assert not store.has(digest(b"too late"))


def _campaign(folder: Path, *more: str) -> tuple[int, dict[str, int]]:
    folder.mkdir()
    command = [sys.executable, str(CAMPAIGN), "--rounds", "80", "--folder", str(folder), *more]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.slow
def test_eight_writers_two_collectors_and_a_verifier_lose_nothing(tmp_path: Path) -> None:
    status, outcome = _campaign(tmp_path / "store")

    assert status == 0, outcome
    assert (outcome["rounds"], outcome["lost"], outcome["garbage_at_end"]) == (80, 0, 0)
    assert min(outcome[name] for name in ("deleted", "relied", "checked", "needed_at_end")) > 0


@pytest.mark.slow
def test_the_same_without_notes_loses_objects(tmp_path: Path) -> None:
    # Which process comes first is chance, and chance gets three tries.
    campaigns = (_campaign(tmp_path / str(i), "--unguarded") for i in range(3))

    assert any(status == 4 and outcome["lost"] > 0 for status, outcome in campaigns)
