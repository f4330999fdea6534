from __future__ import annotations

import os
import socket

import pytest

from mlops_ray.errors import PortInUseError
from mlops_ray.serve import check_port, free_port


def test_free_port_passes_the_check():
    check_port(free_port())


def test_taken_port_names_its_holder_and_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port}.*pid {os.getpid()} .*--port 0"):
            check_port(port)


@pytest.mark.parametrize(
    ("port", "host"), [(70_000, "127.0.0.1"), (-1, "127.0.0.1"), (0, "no.such.host.invalid")]
)
def test_port_that_cannot_exist_is_refused(port, host):
    with pytest.raises(PortInUseError, match="cannot be used"):
        check_port(port, host)


def test_a_host_of_another_machine_is_not_blamed_on_who_holds_the_port_here():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUseError, match=r"cannot be used: got (?!pid).*--host"):
            check_port(port, "203.0.113.1")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "999.1.1.1", "a" * 70])
def test_no_free_port_is_found_on_a_host_that_is_not_this_machine(host):
    with pytest.raises(PortInUseError, match=f"host {host} cannot be used: got .*--host"):
        free_port(host)
