"""Who listens on a port of this machine."""

from __future__ import annotations

import psutil

__all__ = ["port_holder"]


def port_holder(port: int) -> str:
    """The process that listens on a TCP port, as ``pid 17 (python)``.

    Returns:
        "another user's process" where the system does not say, "" where nobody listens.
    """
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS shows connections to root only.
        return "another user's process"
    for connection in connections:
        address = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address and address.port == port:
            return _name(connection.pid)
    return ""


def _name(pid: int | None) -> str:
    if pid is None:
        return "another user's process"
    try:
        return f"pid {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"pid {pid}"
