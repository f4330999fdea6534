import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import ray

from mlops_ray.errors import ClusterError, ConfigError
from mlops_ray.runtime.cluster import connect

REPOSITORY = Path(__file__).parents[2]

# A program of its own: this test session has its cluster, and a process has only one.
OWN_CLUSTER = """
import dataclasses, json, os, signal, sys, time
import ray
from mlops_ray.runtime.cluster import connect

def mine(signum, frame): pass
signal.signal(signal.SIGTERM, mine)

def facts():
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "PYTHONHASHSEED", "RAY_AUTH_MODE", "RAY_ADDRESS")
    return {"python": sys.executable} | {name: os.environ.get(name) for name in names}

with connect("local", num_cpus=1) as cluster:
    token = os.environ["RAY_AUTH_TOKEN_PATH"]
    print(json.dumps({
        **dataclasses.asdict(cluster),
        "worker": ray.get(ray.remote(facts).remote()),
        "token_mode": os.stat(token).st_mode & 0o777,
        "folder": os.path.dirname(token),
        "is_handler_kept": signal.getsignal(signal.SIGTERM) is mine,
    }), flush=True)
    if sys.stdin.readline() == "end\\n":
        pass
print(json.dumps(facts()), flush=True)
"""


def ray_processes_of(folder):
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(folder in part for part in process.info["cmdline"] or [])
    ]


def wait_until_gone(folder, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while (left := ray_processes_of(folder)) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.2)
    return left


@pytest.fixture
def python(tmp_path):
    """This interpreter by a path that a shell would take for two."""
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "venv").symlink_to(sys.prefix)
    return str(tmp_path / "a folder" / "venv" / "bin" / "python")


@pytest.fixture
def own_cluster(tmp_path, python):
    """A running program with a cluster of its own, and what it found."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    environment |= {
        "HOME": str(tmp_path),
        "PYTHONPATH": str(REPOSITORY),
        "RAY_ADDRESS": "127.0.0.1:1",
    }
    with subprocess.Popen(
        [python, "-c", OWN_CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as program:
        assert program.stdout is not None
        yield program, json.loads(program.stdout.readline())
        program.kill()


@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_of_our_own_is_private_and_ends_with_the_block(own_cluster, tmp_path, python):
    program, found = own_cluster

    assert found["is_own"]
    assert (found["cpus"], found["nodes"]) == (1, 1)
    assert found["ray_start_s"] > 0
    assert found["is_handler_kept"]
    assert found["token_mode"] == 0o600
    assert not (tmp_path / ".ray").exists()
    assert found["worker"] == {
        "python": python,
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "PYTHONHASHSEED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_ADDRESS": None,
    }

    after, _ = program.communicate("end\n", timeout=60)

    assert program.returncode == 0
    assert json.loads(after)["RAY_ADDRESS"] == "127.0.0.1:1"
    assert json.loads(after)["RAY_AUTH_MODE"] is None
    assert wait_until_gone(found["folder"]) == []
    assert not Path(found["folder"]).exists()


@pytest.mark.ray
@pytest.mark.slow
def test_a_killed_program_leaves_no_ray_process(own_cluster):
    program, found = own_cluster
    assert ray_processes_of(found["folder"])

    program.kill()
    program.wait()

    assert wait_until_gone(found["folder"]) == []


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_connected_process_keeps_its_cluster():
    with connect(num_cpus=1) as cluster:
        assert not cluster.is_own
        assert cluster.cpus == 2
        assert cluster.ray_start_s == 0

    assert ray.is_initialized()


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_connected_process_does_not_change_clusters():
    with pytest.raises(ClusterError, match="connected to another cluster"), connect("10.0.0.1:1"):
        pass


@pytest.fixture
def disconnected(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)


@pytest.mark.usefixtures("disconnected")
def test_a_cluster_that_comes_up_too_slowly_is_a_cluster_error(monkeypatch):
    def too_slow(**_options):
        raise Exception("The current node timed out during startup. This could be")  # noqa: TRY002 - as Ray

    monkeypatch.setattr("ray.init", too_slow)
    monkeypatch.setattr("ray.shutdown", lambda: None)  # The session's cluster is not ours.

    with pytest.raises(ClusterError, match="timed out during startup"), connect("local"):
        pass


@pytest.mark.usefixtures("disconnected")
@pytest.mark.parametrize("address", [None, "auto"])
def test_an_unreachable_address_from_the_environment_is_a_cluster_error(monkeypatch, address):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")

    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:1"), connect(address):
        pass


@pytest.mark.usefixtures("disconnected")
def test_cpus_cannot_be_chosen_for_a_running_cluster():
    with pytest.raises(ConfigError, match="leave out --num-cpus"), connect("h:1", num_cpus=1):
        pass
