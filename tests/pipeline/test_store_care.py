"""`mlops_ray.pipeline.store_care`: what records need is checked and kept, the rest goes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_ray.errors import ManifestError, NotFoundError
from mlops_ray.manifest import canonical_bytes
from mlops_ray.models.bundle import Bundle
from mlops_ray.pipeline.records import Records
from mlops_ray.storage import ObjectStore, digest, digest_cache
from mlops_ray.storage.digest_cache import DigestCache

DAY_S = 86_400
STAGE = f"stages/key-{'0' * 64}.json"
RUN = "runs/20260101t000000-aaaaaa/sealed.json"
# Written by a process that is gone, so that no lease of this one holds the objects.
WRITER = """
import sys, pathlib
from mlops_ray.storage import ObjectStore
store = ObjectStore(pathlib.Path(sys.argv[1]))
for text in sys.argv[2:]:
    key, _, data = text.partition("=")
    store.write_record(key, data.encode()) if key else store.put(data.encode())
"""


def _entry(data: bytes, **more: Any) -> dict[str, Any]:
    return {"role": "part", "sha256": digest(data), "size_bytes": len(data), **more}


ENVELOPE = canonical_bytes(
    {
        "schema": "mlops-ray/envelope/v9",
        "log": digest(b"a log"),
        "objects": [_entry(b"of a run"), _entry(b"a matrix", intermediate=True)],
    }
)
RECORD = canonical_bytes({"schema": "mlops-ray/stage/v1", "objects": [_entry(b"of a stage")]})
BUNDLE = Bundle({"model.json": b"of a version"})
OBJECTS = [b"of a run", b"a log", b"a matrix", ENVELOPE, b"of a stage", RECORD, b"of a version"]
OBJECTS.append(canonical_bytes(BUNDLE.tree()))
ORPHAN = b"reached by nothing"


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """A store with a run, a stage, a registered version and an orphan."""
    root = tmp_path / "store"
    pointers = {RUN: {"envelope": digest(ENVELOPE)}, STAGE: {"record": digest(RECORD)}}
    written = [f"={data.decode()}" for data in [*OBJECTS, ORPHAN]]
    written += [f"{key}={canonical_bytes(value).decode()}" for key, value in pointers.items()]
    subprocess.run([sys.executable, "-c", WRITER, str(root), *written], check=True)
    found = Records(tmp_path, store=root, registry=tmp_path / "registry.db")
    found.registry.register(
        "churn",
        bundle=BUNDLE.digest,
        run_id="r",
        spec_id="s",
        result_id="r",
        metrics={},
        gates=[],
        actor="ann",
    )
    return found


def _age(records: Records, key: str, days: float) -> None:
    path = records.workspace.store_root / key
    moment = path.stat().st_mtime - days * DAY_S
    os.utime(path, (moment, moment))


def test_only_what_no_record_needs_is_deleted(records: Records) -> None:
    looked = records.collect_garbage(dry_run=True)
    assert len(list(records.workspace.store.names())) == len(OBJECTS) + 1
    done = records.collect_garbage()

    assert looked.objects.names == done.objects.names == (digest(ORPHAN),)
    assert looked.to_json() == {**done.to_json(), "dry_run": True}
    assert set(records.workspace.store.names()) == set(map(digest, OBJECTS))
    assert records.verify_store(read_data=True).is_ok


def test_a_stage_that_no_run_used_for_long_is_forgotten(records: Records) -> None:
    _age(records, STAGE, 29)
    assert records.collect_garbage().n_stages == 0
    _age(records, STAGE, 2)

    kept = records.collect_garbage(stages_unused_days=None)
    looked = records.collect_garbage(dry_run=True)
    assert records.workspace.store.read_record(STAGE) is not None
    done = records.collect_garbage()

    gone = {digest(b"of a stage"), digest(RECORD)}
    assert kept.objects.names == ()
    assert (looked.n_stages, done.n_stages) == (1, 1)
    assert set(looked.objects.names) == set(done.objects.names) == gone
    assert records.workspace.store.read_record(STAGE) is None
    assert records.verify_store().is_ok


def test_a_used_stage_is_not_forgotten(records: Records) -> None:
    _age(records, STAGE, 31)
    records.workspace.store.mark_record_used(STAGE)

    assert records.collect_garbage().n_stages == 0


@pytest.mark.parametrize("key", [RUN, STAGE])
@pytest.mark.parametrize("content", [b"", b"[1]", b'{"envelope": "x"}', None])
def test_garbage_stays_where_a_root_cannot_be_read(
    records: Records, key: str, content: bytes | None
) -> None:
    _age(records, STAGE, 31)
    store = records.workspace.store
    if content is None:
        store.delete(digest(ENVELOPE if key == RUN else RECORD))
    else:
        store.write_record(key, content)
        _age(records, key, 31)

    with pytest.raises(ManifestError, match=key):
        records.collect_garbage()

    assert store.has(digest(ORPHAN))
    assert store.read_record(STAGE) is not None
    assert [problem.object for problem in records.verify_store().problems] == [key]


def _flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().swapcase())


def _cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("data", [b"of a run", b"of a stage", b"of a version"])
@pytest.mark.parametrize(
    ("damage", "is_seen_by_looking"), [(Path.unlink, True), (_cut, True), (_flip, False)]
)
def test_a_damaged_object_is_named(
    records: Records, data: bytes, damage: Callable[[Path], None], is_seen_by_looking: bool
) -> None:
    damage(records.workspace.store.path(digest(data)))

    looked, read = records.verify_store(), records.verify_store(read_data=True)

    assert looked.is_ok != is_seen_by_looking
    assert {problem.object for problem in read.problems} == {digest(data)}


def test_a_check_reads_the_bytes_whatever_the_digest_cache_says(records: Records) -> None:
    path = records.workspace.store.path(digest(b"of a run"))
    _flip(path)
    cache = DigestCache(records.workspace.store_root / "digests.db")
    cache._remember(digest_cache._facts(path), digest(b"of a run"))
    assert cache.digest_file(path) == digest(b"of a run")

    problems = records.verify_store(read_data=True).problems

    assert [problem.object for problem in problems] == [digest(b"of a run")]


def test_what_can_be_computed_again_may_be_missing_but_not_damaged(records: Records) -> None:
    path = records.workspace.store.path(digest(b"a matrix"))
    _flip(path)
    assert not records.verify_store(read_data=True).is_ok

    path.unlink()
    assert records.verify_store(read_data=True).is_ok


def test_leftovers_of_killed_processes_are_counted_and_no_problem(records: Records) -> None:
    root = records.workspace.store_root
    (root / "runs" / "20260101t000001-bbbbbb").mkdir()
    (root / "runs" / ".tmp-0123456789abcdef").touch()
    (root / "locks").mkdir()
    (root / "locks" / "key-0.lock").touch()
    (root / "leases" / "0123456789abcdef").touch()

    outcome = records.verify_store(read_data=True)

    assert outcome.is_ok
    assert outcome.leftovers == {"temporaries": 1, "leases": 1, "locks": 1, "unsealed_runs": 1}
    records.collect_garbage()
    left = records.verify_store().leftovers
    assert (left["temporaries"], left["leases"], left["unsealed_runs"]) == (0, 0, 1)


def test_extracted_code_goes_unless_somebody_runs_from_it(records: Records) -> None:
    store = records.workspace.store
    trees = [store.root / "code" / f"tree-{digit * 64}" for digit in "abc"]
    for tree in trees:
        tree.mkdir(parents=True)
        (tree / "module.py").touch()
    for tree in trees[:2]:
        _age(records, tree.relative_to(store.root).as_posix(), 1)

    with store.lease() as writer:
        writer.hold(f"sha256:{'a' * 64}")
        assert records.collect_garbage(dry_run=True).n_code_folders == 1
        assert records.collect_garbage().n_code_folders == 1

    # One is in use, one was made just now.
    assert sorted((store.root / "code").iterdir()) == [trees[0], trees[2]]


@pytest.mark.parametrize("name", ["nowhere", "folder", "folder/file", "export"])
def test_what_is_no_store_is_not_well(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder" / "runs").mkdir(parents=True)  # As another tool may have it.
    (tmp_path / "folder" / "file").touch()
    ObjectStore(tmp_path / "export").path(digest(ORPHAN)).parent.mkdir(parents=True)
    ObjectStore(tmp_path / "export").path(digest(ORPHAN)).write_bytes(ORPHAN)
    found = Records(tmp_path, store=tmp_path / name, registry=tmp_path / "registry.db")
    before = sorted(tmp_path.rglob("*"))

    for look in (found.verify_store, found.collect_garbage):
        with pytest.raises(NotFoundError, match=r"no store at .*objects/.*--store"):
            look()

    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_store_is_well_and_stays_empty(tmp_path: Path) -> None:
    for folder in ("objects", "runs"):
        (tmp_path / "store" / folder).mkdir(parents=True)
    found = Records(tmp_path, store=tmp_path / "store", registry=tmp_path / "registry.db")

    outcome = found.verify_store(read_data=True)

    assert (outcome.is_ok, outcome.n_objects) == (True, 0)
    assert not (tmp_path / "registry.db").exists()
    assert {path.name for path in (tmp_path / "store").rglob("*")} == {"objects", "runs"}
    assert found.collect_garbage().objects.n_deleted == 0


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_commands_say_and_end_as_documented(records: Records, is_damaged: bool) -> None:
    if is_damaged:
        records.workspace.store.path(digest(b"of a run")).unlink()
    places = ["--store", str(records.workspace.store_root)]
    places += ["--registry", str(records.workspace.registry)]
    code = (
        "import sys\nfrom mlops_ray.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'ray', 'xgboost', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "    print(sorted(heavy), file=sys.stderr)\n"
    )

    def ended(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-c", code, "store", *arguments, *places]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    status, said, heavy = ended("verify", "--read-data", "--json")
    assert status == (4 if is_damaged else 0)
    assert said.startswith('{"schema": "mlops-ray/store_verify/v1", "ok": ')
    assert (digest(b"of a run") in said) == is_damaged
    assert heavy.splitlines()[-1] == "[]"

    status, said, _ = ended("gc", "--dry-run")
    assert (status, said.partition(" objects")[0]) == (0, "would delete 1")
    status, said, _ = ended("gc", "--json")
    assert status == 0
    assert said.startswith('{"schema": "mlops-ray/store_gc/v1", "deleted": 1, "freed_bytes": 18')
