import socket
import threading
import time

import pytest

from mlops_ray.errors import ClusterError, ConfigError
from mlops_ray.runtime.address import await_address, check_address, head_timeout_s


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def answer_with(server, reply):
    def serve():
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:0", "head:70000", "head:x"])
def test_a_malformed_address_is_a_config_error(address):
    with pytest.raises(ConfigError, match="host:port"):
        check_address(address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "ray://127.0.0.1:10001"])
def test_an_address_of_another_kind_points_to_job_submission(address):
    with pytest.raises(ConfigError, match="ray job submit"):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["ray://me:{}@head:10001", "me:{}@head:6379", "{}", "head:{}", "{}@[::1]:6379"]
)
def test_an_address_that_may_hold_a_password_is_not_repeated(address):
    password = "hunter2" + "-Kq83ZmVx"

    with pytest.raises(ConfigError, match=r"control store|host:port") as caught:
        check_address(address.format(password))

    assert password not in str(caught.value)


def test_a_closed_port_is_named(listener):
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()

    with pytest.raises(ClusterError, match=f"{address}.*refused"):
        check_address(address)


def test_a_web_server_is_not_taken_for_a_cluster(listener):
    address = answer_with(listener, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with pytest.raises(ClusterError, match="does not speak Ray's protocol"):
        check_address(address)


def test_a_silent_server_is_given_up_on(listener):
    address = f"127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(ClusterError, match="timed out"):
        check_address(address, timeout_s=0.2)


def test_a_settings_frame_is_enough(listener):
    settings = bytes([0, 0, 6, 4, 0, 0, 0, 0, 0]) + b"\0\3\0\0\0\1"

    check_address(answer_with(listener, settings))


def test_auto_is_left_to_ray():
    check_address("auto")


def test_a_cluster_that_is_not_there_yet_is_waited_for(listener, monkeypatch):
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    monkeypatch.setenv("MLOPS_RAY_HEAD_TIMEOUT_S", "60")
    waiting = threading.Thread(target=await_address, args=(address,))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()

    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))) as later:
        answer_with(later, bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        waiting.join(30)

    assert not waiting.is_alive()


def test_it_is_not_waited_for_longer_than_said_nor_at_all_by_default(listener, monkeypatch):
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()

    for said, longest_s in (("0.6", 5.0), (None, 0.5)):
        if said is None:
            monkeypatch.delenv("MLOPS_RAY_HEAD_TIMEOUT_S")
        else:
            monkeypatch.setenv("MLOPS_RAY_HEAD_TIMEOUT_S", said)
        before = time.monotonic()
        with pytest.raises(ClusterError, match="refused"):
            await_address(address)
        assert float(said or 0) <= time.monotonic() - before < longest_s


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_time_to_wait_that_is_none_is_refused(text, monkeypatch):
    monkeypatch.setenv("MLOPS_RAY_HEAD_TIMEOUT_S", text)

    with pytest.raises(ConfigError, match="MLOPS_RAY_HEAD_TIMEOUT_S"):
        head_timeout_s()
