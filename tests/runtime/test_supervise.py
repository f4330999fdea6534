"""`cluster/supervise.py` with a head that only looks like one."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

SCRIPT = Path(__file__).parents[2] / "cluster" / "supervise.py"
WITHIN_S = 60.0
# The kernel names a process after the script that it runs.
HEAD = """#!/bin/sh
test -e {folder}/broken && exit 7
{folder}/gcs_server & {folder}/raylet & wait
"""
PART = "#!/bin/sh\nsleep 600\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def module():
    spec = importlib.util.spec_from_file_location("supervise", SCRIPT)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


class Jobs(BaseHTTPRequestHandler):
    """Takes jobs from whoever has the token."""

    def do_GET(self):
        self.send_response(200 if self.headers["Authorization"] == "Bearer secret" else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


def awaits(is_so):
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def members(session):
    """Names of the processes of a session that run."""
    found = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found[process.name()] = process.pid
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


@pytest.fixture
def folder(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Jobs) as server:
        threading.Thread(target=server.serve_forever).start()
        (tmp_path / "env").write_text(f"export RAY_ADDRESS=http://127.0.0.1:{server.server_port}\n")
        (tmp_path / "auth_token").write_text("secret")
        for name, text in {"head": HEAD, "gcs_server": PART, "raylet": PART}.items():
            (tmp_path / name).write_text(text.format(folder=tmp_path))
            (tmp_path / name).chmod(0o700)
        yield tmp_path
        server.shutdown()


@pytest.fixture
def supervised(folder):
    """Starts it with variables; ends what is left of it."""
    started = []

    def start(**variables):
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, SCRIPT, folder, folder / "head"],
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pid in members(process.pid).values():
            os.kill(pid, signal.SIGKILL)


def said(folder):
    lines = (folder / "log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ supervisor: ", line) for line in lines)
    return [line.partition(" supervisor: ")[2] for line in lines]


def test_a_head_that_lost_a_part_is_started_again_and_at_last_given_up(folder, supervised):
    process = supervised(HEAD_TRIES="3")
    awaits((folder / "up").exists)
    left = members(process.pid)["raylet"]
    (folder / "broken").touch()
    os.kill(members(process.pid)["gcs_server"], signal.SIGTERM)

    assert process.wait(WITHIN_S) == 1

    assert not psutil.pid_exists(left)
    assert members(process.pid) == {}
    assert not (folder / "up").exists()
    assert said(folder)[1:] == [
        "gcs_server ended: started again in 1 s",
        "the head ended with 7: started again in 2 s",
        "the head ended with 7: given up, 3 quick ends in a row",
    ]


def test_a_head_that_comes_back_takes_jobs_again(folder, supervised):
    process = supervised()
    awaits((folder / "up").exists)
    os.kill(members(process.pid)["raylet"], signal.SIGKILL)
    awaits(lambda: not (folder / "up").exists())

    awaits((folder / "up").exists)

    assert process.poll() is None
    assert [line.partition(" after ")[0] for line in said(folder)] == [
        "the head takes jobs",
        "raylet ended: started again in 1 s",
        "the head takes jobs",
    ]


def test_a_head_that_never_took_jobs_is_not_tried_again(folder, supervised):
    (folder / "broken").touch()

    assert supervised().wait(WITHIN_S) == 1

    assert said(folder) == ["the head ended with 7: given up, 1 quick ends in a row"]


def test_it_is_not_started_before_redis_answers(folder, supervised):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = supervised(RAY_REDIS_ADDRESS=f"127.0.0.1:{port}")
    awaits(lambda: "waits for Redis: Connection refused" in said(folder))
    assert list(members(process.pid).values()) == [process.pid]
    replies = [b"-LOADING Redis is loading the dataset in memory\r\n", b"+PONG\r\n"]

    with socket.create_server(("127.0.0.1", port)) as listener:
        for reply in replies:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(64) == b"PING\r\n"
                connection.sendall(reply)
    awaits((folder / "up").exists)

    assert said(folder)[:3] == [
        "waits for Redis: Connection refused",
        "waits for Redis: it says '-LOADING Redis is loading the dataset in memory'",
        "Redis answers",
    ]


@pytest.mark.parametrize("form", ["{}", "redis://{}", "{},127.0.0.1:1", "rediss://{}"])
def test_any_answer_of_redis_but_that_it_loads_will_do(form):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                if connection.recv(64):
                    connection.sendall(b"-NOAUTH Authentication required.\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        trouble = module()._trouble_of_redis(form.format(address))
        thread.join()

    assert not trouble


def test_an_address_of_redis_without_a_port_is_told():
    assert "HOST:PORT" in module()._trouble_of_redis("127.0.0.1")
