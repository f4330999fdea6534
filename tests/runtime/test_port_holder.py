import os
import socket

from mlops_ray.runtime.port_holder import port_holder


def test_the_holder_is_named_with_its_pid():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert port_holder(server.getsockname()[1]).startswith(f"pid {os.getpid()} (")


def test_a_free_port_has_no_holder():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert port_holder(port) == ""
