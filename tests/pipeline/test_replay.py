"""`mlops_ray.pipeline.replay`: what it refuses, and that it always answers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_ray
from mlops_ray.pipeline.replay import ANSWER_FILE, ANSWER_SCHEMA, REQUEST_FILE, REQUEST_SCHEMA
from mlops_ray.runtime.code import CodeBundle
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.storage import ObjectStore

COMMAND = [sys.executable, "-P", "-m", "mlops_ray.pipeline.replay"]


def _answer(folder, request):
    (folder / REQUEST_FILE).write_text(json.dumps(request))
    done = subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True, check=False)
    return done, json.loads((folder / ANSWER_FILE).read_text())


@pytest.fixture
def request_of(spec, tmp_path):
    store = ObjectStore(tmp_path / "store")

    def request(bundle: CodeBundle, **changes):
        asked = spec.model_copy(
            update={"code": spec.code.model_copy(update={"tree": bundle.digest})}
        )
        return {
            "schema": REQUEST_SCHEMA,
            "store": str(store.root),
            "code": str(extracted(bundle, store.root)),
            "spec_id": store.put(asked.to_bytes()),
            "inputs": {},
            "num_cpus": 1,
            "address": None,
            "in_process_below_bytes": 10,
            **changes,
        }

    return request


def test_a_request_of_another_schema_is_refused(tmp_path, request_of) -> None:
    request = request_of(CodeBundle({}), schema="mlops-ray/replay-request/v2")

    done, answer = _answer(tmp_path, request)

    assert done.returncode == 1
    assert answer["schema"] == ANSWER_SCHEMA
    assert answer["error"]["code"] == "manifest"
    assert REQUEST_SCHEMA in answer["error"]["message"]


def test_code_that_is_not_the_recorded_one_is_refused(tmp_path, request_of) -> None:
    sound = request_of(CodeBundle({"a.py": b"A = 1"}))
    (Path(sound["code"]) / "a.py").write_text("A = 2")

    done, answer = _answer(tmp_path, sound)

    assert done.returncode == 1
    assert "the code that runs is not the recorded one" in answer["error"]["message"]


def test_what_a_stage_refuses_is_the_answer(tmp_path, request_of) -> None:
    """With no input there is nothing to read; the same request but for the code gets that far."""
    engine = Path(mlops_ray.__file__).parent
    files = {
        f"mlops_ray/{path.relative_to(engine).as_posix()}": path.read_bytes()
        for path in engine.rglob("*.py")
    }

    done, answer = _answer(tmp_path, request_of(CodeBundle(dict(sorted(files.items())))))

    assert done.returncode == 1
    assert "not the recorded one" not in answer["error"]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_trace(tmp_path, number) -> None:
    os.mkfifo(tmp_path / REQUEST_FILE)
    process = subprocess.Popen(
        [*COMMAND, str(tmp_path)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with (tmp_path / REQUEST_FILE).open("w"):  # Opens once it reads, so it has its handlers.
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (130, "")
    assert not (tmp_path / ANSWER_FILE).exists()
