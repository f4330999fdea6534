"""`mlops_ray.storage.fail_point`: one process stops, at the time asked for, until it is let go."""

import os
import subprocess
import sys
import time
from pathlib import Path

CODE = """
from mlops_ray.storage import fail_point
for _ in range(3):
    print("before", flush=True)
    fail_point("place")
    fail_point("other")
"""
DEADLINE_S = 60.0


def _started(folder: Path, point: str) -> subprocess.Popen[bytes]:
    points = {
        "MLOPS_RAY_FAIL_POINT": point,
        "MLOPS_RAY_FAIL_POINT_REACHED": str(folder / "reached"),
        "MLOPS_RAY_FAIL_POINT_TRACE": str(folder / "trace"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", CODE], env={**os.environ, **points}, stdout=subprocess.PIPE
    )


def test_the_third_time_stops_and_the_trace_shows_how_far_it_came(tmp_path: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    with _started(tmp_path, "place#3") as process:
        while not (tmp_path / "reached").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        stopped = (tmp_path / "trace").read_text().split()
        pid = int((tmp_path / "reached").read_text())
        (tmp_path / "reached").unlink()
        assert process.wait(DEADLINE_S) == 0

    assert pid == process.pid
    assert stopped == ["place", "other", "place", "other", "place"]
    assert (tmp_path / "trace").read_text().split() == ["place", "other"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["trace"]


def test_a_second_process_and_another_name_pass_by(tmp_path: Path) -> None:
    with _started(tmp_path, "absent") as process:
        assert process.wait(DEADLINE_S) == 0
    assert not (tmp_path / "reached").exists()

    (tmp_path / "reached").write_text("1")  # Another process stands there.
    with _started(tmp_path, "place") as process:
        assert process.wait(DEADLINE_S) == 0
    assert (tmp_path / "reached").read_text() == "1"


def test_without_being_asked_nothing_happens(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if "FAIL_POINT" not in k}

    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, cwd=tmp_path, capture_output=True, check=True
    )

    assert done.stdout == b"before\n" * 3
    assert list(tmp_path.iterdir()) == []
