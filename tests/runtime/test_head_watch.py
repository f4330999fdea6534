import socket
import threading

import pytest

from mlops_ray.runtime import head_watch
from mlops_ray.runtime.head_watch import handle_lost_head, watched_head

SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
WITHIN_S = 30.0


class Head:
    """Greets like a control store, for as long as it is there."""

    def __init__(self, port=0):
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        self.greeted = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._greet)
        self._thread.start()

    def _greet(self):
        while True:
            connection, _ = self._server.accept()
            with connection:
                if connection.recv(1024) == b"end":
                    return
                connection.sendall(SETTINGS)
                self.greeted.release()

    def end(self):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"end")
        self._thread.join()
        self._server.close()


@pytest.fixture
def lost(monkeypatch):
    """Errors that were told, in order; the semaphore counts them."""
    monkeypatch.setattr(head_watch, "_handlers", [])
    monkeypatch.setattr(head_watch, "_EVERY_S", 0.02)
    told, count = [], threading.Semaphore(0)

    def note(error):
        told.append(error)
        count.release()

    handle_lost_head(note)
    return told, count


def test_a_head_that_is_gone_is_named_once(lost):
    told, count = lost
    head = Head()

    with watched_head(f"127.0.0.1:{head.port}", patience_s=0.1):
        assert head.greeted.acquire(timeout=WITHIN_S)
        head.end()
        assert count.acquire(timeout=WITHIN_S)
        assert not count.acquire(timeout=0.3)

    (error,) = told
    assert error.what == f"the Ray cluster at 127.0.0.1:{head.port} is lost"
    assert error.got.startswith("Connection refused for ")
    assert "same command" in error.hint


def test_a_head_that_comes_back_in_time_is_not_lost(lost):
    told, _ = lost
    head = Head()

    with watched_head(f"127.0.0.1:{head.port}", patience_s=WITHIN_S):
        assert head.greeted.acquire(timeout=WITHIN_S)
        head.end()
        again = Head(head.port)
        assert again.greeted.acquire(timeout=WITHIN_S)

    again.end()
    assert told == []


def test_after_the_block_nobody_looks_any_more(lost):
    told, count = lost
    head = Head()
    with watched_head(f"127.0.0.1:{head.port}", patience_s=0.05):
        assert head.greeted.acquire(timeout=WITHIN_S)

    head.end()

    assert not count.acquire(timeout=0.3)
    assert told == []


def test_rays_own_patience_is_not_outlasted(lost, monkeypatch):
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5.1")
    _, count = lost
    head = Head()

    with watched_head(f"127.0.0.1:{head.port}"):
        head.end()
        assert count.acquire(timeout=WITHIN_S)


def test_without_a_handler_nothing_is_watched(monkeypatch):
    monkeypatch.setattr(head_watch, "_handlers", [])
    before = threading.active_count()

    with watched_head("127.0.0.1:1"):
        assert threading.active_count() == before


def test_a_node_of_this_machine_that_ended_is_noticed_though_another_head_answers(lost, tmp_path):
    told, count = lost
    head = Head()
    node = socket.socket(socket.AF_UNIX)
    node.bind(str(tmp_path / "raylet"))
    node.listen()

    with watched_head(f"127.0.0.1:{head.port}", str(tmp_path / "raylet"), patience_s=WITHIN_S):
        connection, _ = node.accept()
        for _ in range(3):
            assert head.greeted.acquire(timeout=WITHIN_S)
        assert told == []
        connection.close()
        assert count.acquire(timeout=WITHIN_S)

    head.end()
    node.close()
    assert told[0].got == "its node on this machine has ended"
