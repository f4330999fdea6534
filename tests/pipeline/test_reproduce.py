"""`mlops_ray.pipeline.reproduce`: what it refuses before anything is executed."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mlops_ray.errors import ConfigError, DigestMismatchError, ManifestError, StoreError
from mlops_ray.manifest import ObjectFacts, new_run
from mlops_ray.pipeline import replay_process
from mlops_ray.pipeline import reproduce as subject
from mlops_ray.pipeline.recorded_image import ContainerImage
from mlops_ray.pipeline.replay import ANSWER_SCHEMA
from mlops_ray.pipeline.reproduce import reproduce
from mlops_ray.pipeline.run import Run
from mlops_ray.runtime.code import CodeBundle
from mlops_ray.storage import digest, find_workspace


@pytest.fixture
def run(spec, result, envelope, tmp_path):
    """A run that ended, with objects of the given roles."""
    workspace = find_workspace(tmp_path, tmp_path / "store")

    def made(*, state="sealed", **objects):
        record, store = new_run(workspace), workspace.store
        stored = {"spec": spec.to_bytes(), "result": result.to_bytes(), **objects}
        facts = [
            ObjectFacts(role=role.replace("_", " "), sha256=store.put(data), size_bytes=len(data))
            for role, data in stored.items()
        ]
        log = store.put(b"")
        facts.append(ObjectFacts(role="log", sha256=log, size_bytes=0))
        has_result = state != "failed"
        changes = {"run_id": record.run_id, "state": state, "objects": facts, "log": log}
        if not has_result:
            changes["result_id"] = None
        sealed = envelope.model_copy(update=changes)
        record.seal(sealed)
        return Run(record, sealed, spec, result if has_result else None, None)

    return made


@pytest.fixture
def unchecked(monkeypatch):
    """Only for runs of earlier versions, whose documents these fixtures do not make."""
    monkeypatch.setattr(subject, "verify_run", lambda _: SimpleNamespace(problems=[]))


@pytest.mark.usefixtures("unchecked")
def test_a_container_joins_no_cluster(run) -> None:
    with pytest.raises(ConfigError, match="cannot join a cluster"):
        reproduce(
            run(), environment=ContainerImage(), address="127.0.0.1:6379", in_process_below_bytes=0
        )


def test_a_run_without_a_result_has_nothing_to_compare_with(run) -> None:
    with pytest.raises(ManifestError, match="has no result to compare with") as found:
        reproduce(run(state="failed"), in_process_below_bytes=0)

    assert found.value.got == "failed"


def test_a_damaged_object_is_named(run) -> None:
    damaged = run(metrics=b"1")
    path = damaged.record.workspace.store.path(digest(b"1"))
    path.chmod(0o644)
    path.write_bytes(b"2")

    with pytest.raises(DigestMismatchError) as found:
        reproduce(damaged, in_process_below_bytes=0)

    assert "is damaged" in found.value.what


@pytest.mark.usefixtures("unchecked")
def test_a_run_of_a_version_without_bundles_is_told_so(run) -> None:
    with pytest.raises(ManifestError, match="made by a version") as found:
        reproduce(run(), in_process_below_bytes=0)

    assert found.value.got == "it recorded no code"


@pytest.mark.usefixtures("unchecked")
def test_a_bundle_without_replay_is_told_so(run, spec) -> None:
    bundle = CodeBundle({"mlops_ray/__init__.py": b""})
    made = run(code_archive=bundle.archive)
    code = spec.code.model_copy(update={"tree": bundle.digest})
    made = replace(made, spec=spec.model_copy(update={"code": code}))

    with pytest.raises(ManifestError, match="made by a version") as found:
        reproduce(made, in_process_below_bytes=0)

    assert "mlops_ray/pipeline/replay.py" in found.value.got


@pytest.mark.usefixtures("unchecked")
def test_a_temporary_folder_that_cannot_be_written_is_told(run, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))

    with pytest.raises(StoreError, match="cannot be executed again here") as found:
        reproduce(run(), in_process_below_bytes=0)

    assert "TMPDIR" in found.value.hint


def _child(tmp_path, code: str):
    """A Python that does as `code` says instead of executing a record."""
    package = tmp_path / "code" / "mlops_ray" / "pipeline"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "replay.py").write_text(f"import json, os, sys\n{code}\n")
    python = replay_process.local_interpreter(sys.executable, tmp_path / "code", "current")
    return replay_process.answer_of_child(python, tmp_path)


def test_a_child_that_dies_is_told_with_its_status(tmp_path) -> None:
    with pytest.raises(ManifestError, match="ended without an answer") as found:
        _child(tmp_path, "sys.exit(9)")

    assert found.value.got == "exit status 9"


def test_what_the_recorded_code_refuses_is_told(tmp_path) -> None:
    answer = {"schema": ANSWER_SCHEMA, "error": {"code": "data", "message": "no rows"}}
    code = f"open(sys.argv[1] + '/answer.json', 'w').write({json.dumps(json.dumps(answer))})"

    with pytest.raises(ManifestError, match="fails when it is executed again") as found:
        _child(tmp_path, code)

    assert found.value.got == "data: no rows"


def test_an_answer_of_another_schema_is_refused(tmp_path) -> None:
    with pytest.raises(ManifestError, match="cannot read") as found:
        _child(tmp_path, "open(sys.argv[1] + '/answer.json', 'w').write('{}')")

    assert found.value.wanted == ANSWER_SCHEMA


def test_settings_of_this_user_do_not_reach_the_recorded_code(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MLOPS_RAY_STORE", "/elsewhere")
    monkeypatch.setenv("KEPT", "1")
    answer = f"{{'schema': '{ANSWER_SCHEMA}', 'variables': dict(os.environ)}}"

    found = _child(tmp_path, f"json.dump({answer}, open(sys.argv[1] + '/answer.json', 'w'))")

    assert found["variables"]["KEPT"] == "1"
    assert not [name for name in found["variables"] if name.startswith("MLOPS_RAY_")]


def test_the_current_environment_keeps_its_path_and_a_built_one_does_not(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/site")

    for environment, paths in (("current", f"{tmp_path}:/site"), ("build", str(tmp_path))):
        python = replay_process.local_interpreter(sys.executable, tmp_path, environment)
        assert python.environment["PYTHONPATH"] == paths


def test_a_child_that_does_not_end_is_killed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(replay_process, "_ENDED_WITHIN_S", 0.1)
    ready = tmp_path / "ready"
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(ready)!r}, 'w').close(); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while not ready.exists():
        assert process.poll() is None

    swept = tmp_path / "swept"
    interpreter = replay_process.Interpreter((), os.environ, ("touch", str(swept)))
    with pytest.raises(subprocess.TimeoutExpired):
        replay_process._end(process, interpreter)

    assert process.returncode == -9
    assert swept.exists()  # Such as the container that its engine did not end.
