"""`verify` finds every damage to every stored object, and names that object."""

from __future__ import annotations

import json
import shutil

import pytest

from mlops_ray import Project

pytestmark = pytest.mark.ray


@pytest.fixture
def copy(binary, tmp_path):
    """A copy of a sealed run's store, to be damaged."""
    store = tmp_path / "store"
    shutil.copytree(binary.project.workspace.store_root, store)
    return Project(tmp_path, store=store, registry=tmp_path / "registry.db")


def _paths(project):
    store = project.workspace.store
    return {name: store.path(name) for name in store.names()}


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
    listed = {fact.sha256 for fact in run.envelope.objects}
    assert set(_paths(copy)) == listed | {run.record.envelope_digest()}
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


def test_any_deleted_object_is_named(copy):
    for name, path in _paths(copy).items():
        whole = path.read_bytes()
        path.unlink()

        assert _named(copy) == {name}

        path.write_bytes(whole)
    assert copy.verify().is_ok


def test_two_objects_in_each_others_place_are_both_named(copy):
    paths = _paths(copy)
    names = list(paths)  # The envelope is among them: without it every object is looked at.
    for one, other in zip(names, names[1:] + names[:1], strict=True):
        data = [paths[name].read_bytes() for name in (one, other)]
        _write(paths[one], data[1])
        _write(paths[other], data[0])

        assert _named(copy) == {one, other}

        _write(paths[one], data[0])
        _write(paths[other], data[1])
    assert copy.verify().is_ok


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "sealed.json"),
        (b"{", "sealed.json"),
        (b"\xff\xfe", "sealed.json"),
        (b"[]", "sealed.json"),
        (b"{}", "sealed.json"),
        (b'{"envelope": 7}', "sealed.json"),
        (b'{"envelope": "sha256:zz"}', "sha256:zz"),
    ],
)
def test_a_damaged_pointer_is_named(copy, content, named):
    copy.run().record.pointer_path.write_bytes(content)

    assert _named(copy) == {named}


def test_a_pointer_to_any_other_object_is_found(copy):
    record = copy.run().record
    envelope = record.envelope_digest()
    for name in set(_paths(copy)) - {envelope}:
        record.pointer_path.write_text(json.dumps({"envelope": name}))

        assert not copy.verify().is_ok

    record.pointer_path.write_text(json.dumps({"envelope": envelope}))
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
