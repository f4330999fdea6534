import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]
HEAD = REPOSITORY / "cluster/head"

JOIN = """
import os, sys
import ray
from mlops_ray.runtime.cluster import connect

def worker():
    import mlops_ray
    return mlops_ray.__file__, os.environ["PYTHONHASHSEED"]

with connect(sys.argv[1]) as cluster:
    print(cluster.is_own, cluster.cpus, *ray.get(ray.remote(worker).remote()))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux")


def head(*arguments):
    return subprocess.run(
        [HEAD, *arguments],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def is_of(process, session):
    """Whether a process of that session still runs."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == session
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="head-", dir="/tmp") as path:
        yield Path(path)
        if (Path(path) / "pid").exists():
            head("stop", path)


def test_a_head_that_was_not_started_cannot_be_stopped(folder):
    assert head("stop", folder).returncode == 6


def test_a_folder_too_long_for_sockets_is_refused(tmp_path):
    done = head("start", tmp_path / ("x" * 50))

    assert done.returncode == 2
    assert "at most 40 characters" in done.stderr


@pytest.mark.ray
@pytest.mark.slow
def test_a_head_is_joined_with_our_code_and_stopped_without_a_trace(folder, tmp_path):
    started = head("start", folder, "1")
    assert started.returncode == 0, started.stderr
    variables = dict(re.findall(r"export (\w+)=(.*)", started.stdout))
    assert stat.S_IMODE((folder / "auth_token").stat().st_mode) == 0o600
    assert head("start", folder).returncode == 5
    joined = subprocess.run(
        [sys.executable, "-c", JOIN, f"127.0.0.1:{variables['RAY_GCS_PORT']}"],
        cwd=tmp_path,
        env={**os.environ, **variables, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    session = int((folder / "pid").read_text())
    assert any(is_of(process, session) for process in psutil.process_iter())
    stopped = head("stop", folder)

    assert joined.returncode == 0, joined.stderr
    assert joined.stdout.startswith("False 1 ")
    assert str(folder) in joined.stdout  # The worker's code came out of the bundle.
    assert joined.stdout.endswith(" 0\n")
    assert stopped.returncode == 0
    assert [process for process in psutil.process_iter() if is_of(process, session)] == []
