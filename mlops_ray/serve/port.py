"""Ports: is one free, who holds it, which one is free."""

from __future__ import annotations

import socket

import psutil

from mlops_ray.errors import PortInUseError

__all__ = ["check_port", "free_port"]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with _bound(host, 0) as listener:
        return int(listener.getsockname()[1])


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """Make sure, before anything is started, that a server could listen on `port`.

    Raises:
        PortInUseError: It is taken, or the system refuses it; the message names the holder.
    """
    try:
        _bound(host, port).close()
    except (OSError, OverflowError) as error:
        raise PortInUseError(
            f"port {port} on {host} cannot be used",
            _holder(port) or str(getattr(error, "strerror", None) or error),
            hint="choose another with --port, or let --port 0 find a free one",
        ) from error


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


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS asks for root.
        return ""
    for connection in connections:
        is_listening = connection.status == psutil.CONN_LISTEN
        if is_listening and connection.laddr and connection.laddr.port == port:
            return _process_of(connection.pid)
    return ""


def _process_of(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"pid {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"pid {pid}"
