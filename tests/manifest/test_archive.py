"""`mlops_ray.manifest.archive` and `archive_import`: a run travels whole, or it does not arrive."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from mlops_ray.errors import (
    ConfigError,
    ConflictError,
    DigestMismatchError,
    ManifestError,
    NotFoundError,
    StoreError,
)
from mlops_ray.manifest import RunRecord, list_runs, verify_export, verify_run
from mlops_ray.manifest.archive import export_run
from mlops_ray.manifest.archive_import import import_run
from mlops_ray.manifest.signing import sign_run
from mlops_ray.manifest.tar_layout import end_of, header_of, padding_of
from mlops_ray.storage import digest, find_workspace

IMPORT = """
import sys
from pathlib import Path
from mlops_ray.manifest.archive_import import import_run
from mlops_ray.storage import find_workspace
import_run(Path(sys.argv[1]), find_workspace(Path(sys.argv[2]), Path(sys.argv[2])))
"""
forms = pytest.mark.parametrize("form", ["tar", "folder"])


def content_of(root: Path) -> dict[str, bytes]:
    """What the run consists of; locks and what killed writers left are no part of it."""
    files = (path for path in root.rglob("*") if path.is_file())
    found = {path.relative_to(root).as_posix(): path for path in files}
    is_part = {
        name: name.startswith(("objects/", "run")) and "/.tmp-" not in name and path.name != "lock"
        for name, path in found.items()
    }
    return {name: path.read_bytes() for name, path in found.items() if is_part[name]}


@pytest.fixture
def signed(small, ann):
    """The small run with a signature."""
    sign_run(small.record, ann[0])
    return small


@pytest.fixture
def elsewhere(tmp_path: Path):
    """A workspace whose store does not exist yet."""
    return find_workspace(tmp_path, tmp_path / "elsewhere" / "store")


# Export.


def test_an_export_has_what_the_run_needs_and_nothing_else(signed, tmp_path: Path) -> None:
    done = export_run(signed.record, tmp_path / "out")

    found = content_of(tmp_path / "out")
    matrix = digest(b"\x01" * 5000)[7:]
    records = {name for name in found if name.startswith("run")}
    stored = {name for name in content_of(signed.workspace.store_root) if name[0] == "o"}
    assert set(found) - records == {name for name in stored if not name.endswith(matrix)}
    assert "run/sealed.json" in records
    assert len(records) == 3  # With a signature and its key.
    assert all(n[11:] == hashlib.sha256(d).hexdigest() for n, d in found.items() if n[0] == "o")
    assert done.n_objects == len(found) - 3
    assert done.size_bytes == sum(len(d) for n, d in found.items() if n[0] == "o")
    assert done.inputs_to_supply == {"big.csv": "sha256:" + "0" * 64}
    assert verify_export(tmp_path / "out").is_ok


def test_a_tar_holds_the_same_files_and_its_bytes_depend_on_them_alone(
    signed, tmp_path: Path
) -> None:
    export_run(signed.record, tmp_path / "out")
    moved = shutil.copytree(signed.workspace.store_root, tmp_path / "moved")
    again = RunRecord(find_workspace(tmp_path, moved), signed.run_id)

    tars = [export_run(record, tmp_path / name).path for record, name in
            [(signed.record, "a.tar"), (again, "b.tar")]]  # fmt: skip

    assert tars[0].read_bytes() == tars[1].read_bytes()
    with tarfile.open(tars[0]) as archive:
        members = archive.getmembers()
        found = {m.name: archive.extractfile(m).read() for m in members}
    assert found == content_of(tmp_path / "out")
    assert [m.name for m in members] == sorted(found)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (0, 0, 0, "", "", 0o444)
    }
    assert verify_export(tars[0]).is_ok


@forms
def test_an_existing_target_is_refused_and_kept(small, tmp_path: Path, form: str) -> None:
    out = tmp_path / ("out.tar" if form == "tar" else "out")
    export_run(small.record, out)
    before = out.stat().st_ino

    with pytest.raises(ConflictError, match=r"out.* exists"):
        export_run(small.record, out)

    assert out.stat().st_ino == before


@forms
def test_a_damaged_object_is_named_and_nothing_is_left(small, tmp_path: Path, form: str) -> None:
    store = small.workspace.store
    (tmp_path / "place").mkdir()
    for number, name in enumerate(store.names()):
        if name == digest(b"\x01" * 5000):  # Stays behind.
            continue
        path = store.path(name)
        whole = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(whole + b"x")

        with pytest.raises(DigestMismatchError, match=name):
            export_run(small.record, tmp_path / "place" / f"{number}.{form}")

        assert list((tmp_path / "place").iterdir()) == []
        path.write_bytes(whole)
    assert export_run(small.record, tmp_path / "place" / f"out.{form}").n_objects > 10


def test_a_run_that_has_not_ended_is_not_exported(small, tmp_path: Path) -> None:
    record = RunRecord(small.workspace, "20270101t000000-000000")
    record.folder.mkdir()

    with pytest.raises(ManifestError, match="has no manifest"):
        export_run(record, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_target_that_cannot_be_written_is_told(small, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    for name in ("out", "out.tar"):
        with pytest.raises(StoreError, match="cannot write"):
            export_run(small.record, tmp_path / "file" / name)


# Import.


@forms
def test_a_run_arrives_as_it_left(signed, elsewhere, tmp_path: Path, form: str) -> None:
    path = export_run(signed.record, tmp_path / f"out.{form}").path

    done = import_run(path, elsewhere)

    record = RunRecord(elsewhere, signed.run_id)
    assert (done.run_id, done.was_there) == (signed.run_id, False)
    assert record.pointer_path.read_bytes() == signed.record.pointer_path.read_bytes()
    assert record.log_path.read_bytes() == b'{"event":"run_ended"}\n'
    assert record.state() == "sealed"
    found = verify_run(record)
    assert found.is_ok
    assert [s.is_ok for s in found.signatures] == [True]
    assert export_run(record, tmp_path / "back.tar").path.read_bytes() == (
        export_run(signed.record, tmp_path / "there.tar").path.read_bytes()
    )


@forms
def test_importing_again_changes_nothing(signed, elsewhere, tmp_path: Path, form: str) -> None:
    path = export_run(signed.record, tmp_path / f"out.{form}").path
    import_run(path, elsewhere)
    before = content_of(elsewhere.store_root)

    done = import_run(path, elsewhere)

    assert (done.was_there, done.healed, done.signatures) == (True, (), ())
    assert content_of(elsewhere.store_root) == before
    assert verify_run(RunRecord(elsewhere, signed.run_id)).is_ok


def test_importing_again_mends_what_was_damaged(signed, elsewhere, tmp_path: Path) -> None:
    path = export_run(signed.record, tmp_path / "out.tar").path
    import_run(path, elsewhere)
    before = content_of(elsewhere.store_root)
    record = RunRecord(elsewhere, signed.run_id)
    victims = sorted(elsewhere.store_root.glob("objects/??/*"))
    for number, victim in enumerate(victims):
        victim.chmod(0o644)
        victim.write_bytes(victim.read_bytes()[:-1] + b"?") if number % 2 else victim.unlink()
    record.log_path.write_bytes(b"other")
    done = import_run(path, elsewhere)

    assert done.was_there
    assert done.healed == (*(f"sha256:{victim.name}" for victim in victims), "log.jsonl")
    assert done.signatures == ()
    assert content_of(elsewhere.store_root) == before


def test_importing_again_says_which_signature_is_new(small, elsewhere, ann, tmp_path: Path) -> None:
    import_run(export_run(small.record, tmp_path / "out.tar").path, elsewhere)
    key_id = sign_run(small.record, ann[0])
    path = export_run(small.record, tmp_path / "signed.tar").path

    done = import_run(path, elsewhere)

    assert (done.was_there, done.healed, done.signatures) == (True, (), (key_id[:12],))
    assert import_run(path, elsewhere).signatures == ()
    victim = next((elsewhere.runs / small.run_id / "signatures").glob("*.dsse.json"))
    victim.write_bytes(b"{}")
    assert import_run(path, elsewhere).signatures == (key_id[:12],)


def test_another_run_of_the_same_id_is_refused(small, elsewhere, tmp_path: Path) -> None:
    path = export_run(small.record, tmp_path / "out.tar").path
    import_run(path, elsewhere)
    small.seed = 5
    small.seal()
    other = export_run(small.record, tmp_path / "other.tar").path
    before = content_of(elsewhere.store_root)

    with pytest.raises(ConflictError, match=f"another run {small.run_id}"):
        import_run(other, elsewhere)

    assert content_of(elsewhere.store_root) == before


def test_a_run_that_is_going_on_under_this_id_is_left_alone(
    small, elsewhere, tmp_path: Path
) -> None:
    path = export_run(small.record, tmp_path / "out.tar").path
    record = RunRecord(elsewhere, small.run_id)
    record.folder.mkdir(parents=True)
    with record.lock():
        with pytest.raises(ConflictError, match="got running"):
            import_run(path, elsewhere)
        assert not record.pointer_path.exists()

    assert import_run(path, elsewhere).run_id == small.run_id


@pytest.mark.parametrize("evil", ["../evil", "/etc/evil", "objects/../../evil", "run/x/../../y"])
def test_an_archive_that_leads_elsewhere_is_refused(
    tar: Path, elsewhere, tmp_path: Path, evil: str
) -> None:
    whole = tar.read_bytes()
    with tarfile.open(tar) as archive:
        files = [(m.name, archive.extractfile(m).read()) for m in archive.getmembers()]
    parts = [header_of(n, len(d)) + d + padding_of(len(d)) for n, d in [*files, (evil, b"evil")]]
    tar.write_bytes(b"".join(parts) + end_of(len(b"".join(parts))))
    before = {p for p in tmp_path.rglob("*") if "evil" in p.name}

    with pytest.raises(DigestMismatchError, match="a name that no export has"):
        import_run(tar, elsewhere)

    assert not elsewhere.store_root.exists()
    assert {p for p in tmp_path.rglob("*") if "evil" in p.name} == before
    tar.write_bytes(whole)
    assert import_run(tar, elsewhere).n_objects > 10


def test_a_run_id_that_leads_elsewhere_is_refused(small, elsewhere, tmp_path: Path) -> None:
    path = export_run(small.record, tmp_path / "out").path
    small.run_id = "../../../evil"
    envelope = small.envelope().to_bytes()
    name = digest(envelope)
    target = path / "objects" / name[7:9] / name[7:]
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(envelope)
    (path / "run/sealed.json").chmod(0o644)
    (path / "run/sealed.json").write_text(f'{{"envelope":"{name}"}}')

    with pytest.raises(DigestMismatchError, match=r"run id sealed\.json.*evil"):
        import_run(path, elsewhere)

    assert not elsewhere.store_root.exists()


def test_a_damaged_export_leaves_no_trace(folder: Path, elsewhere) -> None:
    for victim in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = victim.read_bytes()
        victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 4]))

        with pytest.raises(DigestMismatchError):
            import_run(folder, elsewhere)

        assert not elsewhere.store_root.exists()
        victim.write_bytes(whole)
    assert import_run(folder, elsewhere).n_objects > 10


def test_what_is_not_there_cannot_be_imported(elsewhere, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        import_run(tmp_path / "none.tar", elsewhere)


@pytest.mark.parametrize("place", ["owner", "source", "code"])
def test_a_run_with_a_secret_does_not_arrive(
    small, elsewhere, tmp_path, monkeypatch, place
) -> None:
    """As a version made it that did not look; the twin is imported by all tests above."""
    token = "hf_" + "a1" * 17
    if place == "code":
        monkeypatch.setitem(small.code, "own.py", f"Client('{token}')\n".encode())
    elif place == "owner":
        made = small.spec
        named = {"owner": token}
        monkeypatch.setattr(type(small), "spec", lambda _: made().model_copy(update=named))
    small.seal(small.envelope(**({"source": token} if place == "source" else {})))
    export = export_run(small.record, tmp_path / "run.tar").path

    with pytest.raises(
        ConfigError, match=r"the run seems to hold a secret.*Hugging Face"
    ) as caught:
        import_run(export, elsewhere)

    assert token not in str(caught.value)
    assert list_runs(elsewhere) == []
    assert not list(elsewhere.store_root.rglob("objects/*/*"))


def test_large_objects_of_a_tar_go_through_a_file(
    small, elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export_run(small.record, tmp_path / "out.tar").path
    monkeypatch.setattr("mlops_ray.manifest.archive_import._IN_MEMORY_BYTES", 10)

    import_run(path, elsewhere)

    assert verify_run(RunRecord(elsewhere, small.run_id)).is_ok
    assert not list(elsewhere.store_root.rglob(".tmp-*"))


@forms
def test_an_import_killed_anywhere_and_repeated_ends_the_same(
    signed, tmp_path: Path, form: str
) -> None:
    path = export_run(signed.record, tmp_path / f"out.{form}").path
    whole = tmp_path / "whole"
    import_run(path, find_workspace(tmp_path, whole))
    trace = tmp_path / "trace"
    _import(path, tmp_path / "traced", MLOPS_RAY_FAIL_POINT_TRACE=str(trace))
    hits = trace.read_text().split()
    chosen = sorted({1, 2, len(hits) // 2, *range(len(hits) - 17, len(hits) + 1)})
    names = [hits[number - 1] for number in chosen]

    for number, name in zip(chosen, names, strict=True):
        store, reached = tmp_path / f"store-{number}", tmp_path / f"reached-{number}"
        nth = hits[:number].count(name)
        _killed(path, store, name, nth, reached)
        workspace = find_workspace(tmp_path, store)
        sealed = [r for r in list_runs(workspace) if r.pointer_path.exists()]
        assert all(verify_run(record).is_ok for record in sealed)

        import_run(path, workspace)

        assert content_of(store) == content_of(whole)
        assert verify_run(RunRecord(workspace, signed.run_id)).is_ok


def _import(path: Path, store: Path, **variables: str) -> None:
    command = [sys.executable, "-c", IMPORT, path, store]
    subprocess.run(command, env={**os.environ, **variables}, check=True)


def _killed(path: Path, store: Path, name: str, nth: int, reached: Path) -> None:
    _kill_at([sys.executable, "-c", IMPORT, path, store], f"{name}#{nth}", reached)


def _kill_at(command: list[str | Path], place: str, reached: Path) -> None:
    """Start a process and kill it from outside once it is at a place."""
    places = {"MLOPS_RAY_FAIL_POINT": place, "MLOPS_RAY_FAIL_POINT_REACHED": str(reached)}
    with subprocess.Popen(command, env={**os.environ, **places}) as process:
        deadline = time.monotonic() + 20
        while not reached.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=20) == -signal.SIGKILL


def test_an_export_killed_before_its_end_leaves_nothing_under_its_name(
    small, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mlops_ray.manifest import find_run\n"
        "from mlops_ray.manifest.archive import export_run\n"
        "from mlops_ray.storage import find_workspace\n"
        "workspace = find_workspace(Path(sys.argv[1]), sys.argv[1])\n"
        "export_run(find_run(workspace, 'latest'), Path(sys.argv[2]))"
    )
    out, reached = tmp_path / "place" / "out.tar", tmp_path / "reached"
    command = [sys.executable, "-c", code, small.workspace.store_root, out]

    _kill_at(command, "atomic.written#1", reached)

    assert not out.exists()
    assert export_run(small.record, out).path == out
    assert verify_export(out).is_ok


def test_equal_imports_at_once_all_end_well(small, elsewhere, tmp_path: Path) -> None:
    path = export_run(small.record, tmp_path / "out.tar").path
    command = [sys.executable, "-c", IMPORT, path, elsewhere.store_root]

    started = [subprocess.Popen(command) for _ in range(4)]

    assert [process.wait(timeout=60) for process in started] == [0] * 4
    assert verify_run(RunRecord(elsewhere, small.run_id)).is_ok


@pytest.mark.parametrize("name", ["run.tar.gz", "run.tgz", "run.zip"])
def test_a_name_of_another_kind_of_archive_is_refused(small, tmp_path, name):
    with pytest.raises(ConfigError, match="plain tar or a folder"):
        export_run(small.record, tmp_path / name)

    assert not (tmp_path / name).exists()
