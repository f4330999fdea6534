"""`verify` finds every damage to every stored object, and names that object."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from mlops_ray import Project
from mlops_ray.manifest import canonical_bytes, verify_export

pytestmark = pytest.mark.ray


@pytest.fixture
def copy(binary, tmp_path):
    """A copy of a sealed run's store, to be damaged."""
    store = tmp_path / "store"
    shutil.copytree(binary.project.workspace.store_root, store)
    return Project(tmp_path, store=store, registry=tmp_path / "registry.db")


def _paths(project):
    """Paths of all that the run lists, and of its envelope."""
    run = project.run()
    names = {fact.sha256 for fact in run.envelope.objects} | {run.record.envelope_digest()}
    return {name: project.workspace.store.path(name) for name in sorted(names)}


def _write(path, data):
    path.chmod(0o644)
    path.write_bytes(data)


def _named(project):
    outcome = project.verify()
    assert outcome.is_ok == (not outcome.problems)
    return {problem.object for problem in outcome.problems}


def test_every_object_of_a_whole_run_is_looked_at(copy):
    outcome = copy.verify()

    run = copy.run()
    assert outcome.is_ok
    assert outcome.n_objects == len(_paths(copy)) >= 18
    assert set(_paths(copy)) <= set(copy.workspace.store.names())
    roles = {fact.role for fact in run.envelope.objects}
    assert roles >= {"spec", "result", "input", "trials", "bundle", "log", "code archive"}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: bytes([data[0] ^ 1]) + data[1:], id="first byte flipped"),
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 128]), id="last byte flipped"),
        pytest.param(
            lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16])
            + data[len(data) // 2 + 1 :],
            id="middle byte flipped",
        ),
        pytest.param(lambda data: data[:-1], id="last byte lost"),
        pytest.param(lambda data: data + b"\n", id="a byte too many"),
        pytest.param(lambda _: b"", id="cut to zero"),
    ],
)  # fmt: skip
def test_damage_to_any_object_is_found_and_named(copy, damage):
    for name, path in _paths(copy).items():
        whole = path.read_bytes()
        _write(path, damage(whole))

        assert _named(copy) == {name}

        _write(path, whole)
    assert copy.verify().is_ok


def test_any_deleted_object_is_named_unless_it_can_be_computed_again(copy):
    spared = {fact.sha256 for fact in copy.run().envelope.objects if fact.intermediate}
    for name, path in _paths(copy).items():
        whole = path.read_bytes()
        path.unlink()

        assert _named(copy) == {name} - spared

        path.write_bytes(whole)
    assert copy.verify().is_ok


def test_two_objects_in_each_others_place_are_both_named(copy):
    paths = _paths(copy)
    names = list(paths)  # The envelope is among them.
    for one, other in zip(names, names[1:] + names[:1], strict=True):
        data = [paths[name].read_bytes() for name in (one, other)]
        _write(paths[one], data[1])
        _write(paths[other], data[0])

        assert _named(copy) == {one, other}

        _write(paths[one], data[0])
        _write(paths[other], data[1])
    assert copy.verify().is_ok


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"envelope":7}', b'{"envelope":"sha256:zz"}'],
)
def test_a_damaged_pointer_is_named(copy, content):
    copy.run().record.pointer_path.write_bytes(content)

    assert _named(copy) == {"sealed.json"}


def test_a_pointer_to_any_other_object_is_found(copy):
    record = copy.run().record
    envelope = record.envelope_digest()
    for name in set(_paths(copy)) - {envelope}:
        record.pointer_path.write_bytes(canonical_bytes({"envelope": name}))

        assert not copy.verify().is_ok

    record.pointer_path.write_bytes(canonical_bytes({"envelope": envelope}))
    assert copy.verify().is_ok


def test_a_pointer_to_another_runs_envelope_is_found(copy, binary):
    stranger = binary.projects["driver"].run()
    store = stranger.record.workspace.store
    for name in store.names():
        copy.workspace.store.put(store.get(name))
    copy.run().record.pointer_path.write_bytes(stranger.record.pointer_path.read_bytes())

    outcome = copy.verify()

    (problem,) = outcome.problems
    assert (problem.object, problem.got) == ("sealed.json", stranger.run_id)


@pytest.mark.parametrize("form", ["folder", "run.tar"])
def test_a_run_is_whole_where_it_was_exported_to_and_where_it_arrives(copy, tmp_path, form):
    run = copy.run()
    lasting = {fact.sha256 for fact in run.envelope.objects if not fact.intermediate}

    done = copy.export_run("latest", tmp_path / form)
    arrived = Project(tmp_path, store=tmp_path / "arrived", registry=tmp_path / "none.db")
    arrived.import_run(done.path)

    for outcome in (verify_export(done.path), arrived.verify(run.run_id)):
        assert outcome.problems == []
        assert outcome.n_objects == done.n_objects == len(lasting) + 1
    assert arrived.run(run.run_id).result_id == run.result_id


def test_a_check_loads_no_heavy_library_and_needs_no_home(copy, tmp_path):
    code = (
        "import sys, mlops_ray\n"
        "print(mlops_ray.Records(store=sys.argv[1]).verify('latest').is_ok,\n"
        "      sorted({'ray', 'sklearn', 'xgboost', 'pandas'} & set(sys.modules)))"
    )
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "nobody"), "USER": "nobody"}
    command = [sys.executable, "-P", "-c", code, copy.workspace.store_root]

    done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, check=True)

    assert done.stdout.split() == [b"True", b"[]"]
