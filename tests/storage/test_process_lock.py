"""`mlops_ray.storage.process_lock`: one holder at a time, and a dead one holds nothing."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_ray.errors import BusyError, StoreError
from mlops_ray.storage import process_lock

HOLDER = """
import sys, pathlib
from mlops_ray.storage import process_lock
with process_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
# Reads, adds and writes back: without a lock additions are lost.
ADDER = """
import sys, pathlib
from mlops_ray.storage import process_lock
counter = pathlib.Path(sys.argv[2])
for _ in range(200):
    with process_lock(pathlib.Path(sys.argv[1])):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def _holder(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "key"
    waits: list[str] = []
    with _holder(path) as process:
        with (
            pytest.raises(BusyError, match="another process"),
            process_lock(path, on_wait=lambda: waits.append("waits"), timeout_s=0.1),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    assert waits == ["waits"]
    assert path.exists()
    with process_lock(path, on_wait=lambda: waits.append("waits again"), timeout_s=5):
        pass
    assert waits == ["waits"]
    assert not path.exists()


def test_whoever_waits_goes_on_when_the_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "key"

    def let_go() -> None:
        assert process.stdin is not None
        process.stdin.close()

    with _holder(path) as process, process_lock(path, on_wait=let_go):
        assert process.wait(10) == 0
        assert path.exists()


def test_processes_and_threads_take_turns_though_the_file_comes_and_goes(tmp_path: Path) -> None:
    lock, counter = tmp_path / "key", tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", ADDER, str(lock), str(counter)]

    def add() -> None:
        for _ in range(200):
            with process_lock(lock):
                counter.write_text(str(int(counter.read_text()) + 1))

    processes = [subprocess.Popen(command) for _ in range(3)]
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(add) for _ in range(2)]:
            future.result()
    ended = [process.wait(60) for process in processes]

    assert ended == [0, 0, 0]
    assert int(counter.read_text()) == 1000


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot make the lock"), process_lock(tmp_path / "file/x"):
        pass
