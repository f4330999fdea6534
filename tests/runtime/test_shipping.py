"""Where the workers of a cluster import from: the captured code, whatever else lies around."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlops_ray.errors import ConfigError
from mlops_ray.runtime.cluster import _runtime_env
from mlops_ray.runtime.code import CodeBundle, code_files
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.ray_settings import worker_environment
from mlops_ray.runtime.shipping import shipped_code

HEAD = Path(__file__).parents[2] / "cluster/head"
CONNECT = """
import json, os, sys
from pathlib import Path
import ray
from mlops_ray.runtime.cluster import connect

def places():
    import mlops_ray, inner, pack, top
    import mlops_ray.captured_mark
    word = (Path(pack.__file__).parent / "word.txt").read_text()
    return [m.__file__ for m in (mlops_ray, top, pack, inner)] + [word]

with connect(sys.argv[1], code=Path(sys.argv[2])):
    print(json.dumps(ray.get(ray.remote(places).remote())))
print(os.getcwd())
"""


@pytest.fixture
def code(tmp_path):
    """An extracted bundle with this package and a project of all kinds of modules."""
    project = {
        "top.py": b"",
        "pack/__init__.py": b"",
        "pack/word.txt": b"captured",
        "src/inner.py": b"",
        "mlops_ray/captured_mark.py": b"",
    }
    return extracted(CodeBundle(code_files() | project), tmp_path / "store")


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with another package of this name, and another module of the project's."""
    (tmp_path / "cwd/mlops_ray").mkdir(parents=True)
    (tmp_path / "cwd/mlops_ray/__init__.py").write_text("raise ImportError('the wrong one')\n")
    (tmp_path / "cwd/top.py").write_text("raise ImportError('the wrong one')\n")
    return tmp_path / "cwd"


def connect(address, code, elsewhere, **variables):
    """What a worker imported, and the working folder of the program afterwards."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CONNECT, address, str(code)],
        cwd=elsewhere,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    places, folder = done.stdout.splitlines()
    assert folder == str(elsewhere)
    return json.loads(places)


@pytest.mark.ray
@pytest.mark.slow
def test_workers_of_a_cluster_of_our_own_import_the_captured_code(code, elsewhere):
    places = connect("local", code, elsewhere)

    inside = ("mlops_ray/__init__.py", "top.py", "pack/__init__.py", "src/inner.py")
    assert places == [*(str(code / path) for path in inside), "captured"]


@pytest.fixture
def head():
    """Variables of a running cluster that somebody else started."""
    environment = {**os.environ, "PYTHON": sys.executable}
    with tempfile.TemporaryDirectory(prefix="head-", dir="/tmp") as folder:
        started = subprocess.run(
            [HEAD, "start", folder], env=environment, capture_output=True, text=True, check=False
        )
        try:
            assert started.returncode == 0, started.stderr
            yield dict(re.findall(r"export (\w+)=(.*)", started.stdout))
        finally:
            subprocess.run([HEAD, "stop", folder], env=environment, check=True)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux")
def test_workers_of_a_joined_cluster_import_the_captured_code(code, elsewhere, head):
    token = {name: value for name, value in head.items() if name.startswith("RAY_AUTH")}

    places = connect(f"127.0.0.1:{head['RAY_GCS_PORT']}", code, elsewhere, **token)

    assert places[-1] == "captured"
    assert [place for place in places[:-1] if str(elsewhere) in place] == []
    shipped = ("working_dir_files", "working_dir_files", "working_dir_files", "py_modules_files")
    assert all(folder in place for folder, place in zip(shipped, places[:-1], strict=True)), places


def test_in_a_job_with_an_upload_all_parts_travel_as_modules(code):
    parts = shipped_code(code, {"working_dir": "gcs://x.zip"})

    assert parts == {
        "py_modules": [str(code / p) for p in ("mlops_ray", "pack", "top.py", "src/inner.py")]
    }
    assert shipped_code(code, {}) == {
        "working_dir": str(code),
        "py_modules": [str(code / "src/inner.py")],
    }


def test_a_job_that_ships_modules_of_its_own_is_refused(code):
    with pytest.raises(ConfigError, match="py_modules of its own"):
        shipped_code(code, {"py_modules": ["gcs://y.zip"]})


def test_a_single_file_of_data_is_refused_where_it_cannot_travel(code):
    (code / "words.txt").write_text("")

    assert shipped_code(code, {})["working_dir"] == str(code)
    with pytest.raises(ConfigError, match=r"words\.txt.*move it into a folder"):
        shipped_code(code, {"working_dir": "gcs://x.zip"})


def test_the_runtime_env_holds_no_variable_of_the_program_or_of_its_job(code, monkeypatch):
    secret = "hunter2" + "-Kq83ZmVx"
    job = {"runtime_env": {"env_vars": {"JOB_PASSWORD": secret}}}
    monkeypatch.setenv("SHOP_PASSWORD", secret)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))

    env = _runtime_env(code)

    assert env["env_vars"] == worker_environment()
    assert secret not in json.dumps(env)
