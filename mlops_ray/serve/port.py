"""Ports: is one free, who holds it, which one is free."""

from __future__ import annotations

import errno
import socket

from mlops_ray.errors import PortInUseError
from mlops_ray.runtime.port_holder import port_holder

__all__ = ["check_port", "free_port"]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment.

    Raises:
        PortInUseError: The host is no address of this machine.
    """
    try:
        with _bound(host, 0) as listener:
            return int(listener.getsockname()[1])
    except (OSError, ValueError) as error:
        raise _unusable(0, host, error) from error


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """Make sure, before anything is started, that a server could listen on `port`.

    Raises:
        PortInUseError: It is taken, or the system refuses it; the message names the holder.
    """
    try:
        _bound(host, port).close()
    except (OSError, OverflowError, ValueError) as error:
        raise _unusable(port, host, error) from error


def _unusable(port: int, host: str, error: Exception) -> PortInUseError:
    is_taken = getattr(error, "errno", None) == errno.EADDRINUSE
    return PortInUseError(
        f"port {port} on {host} cannot be used" if port else f"host {host} cannot be used",
        (is_taken and port_holder(port)) or str(getattr(error, "strerror", None) or error),
        hint="choose another with --port, or let --port 0 find a free one"
        if is_taken
        else "give --host an address of this machine, and --port a port you may use",
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As a server does: a port in TIME_WAIT is free, one that is listened on is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener
