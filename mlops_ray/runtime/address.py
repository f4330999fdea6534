"""Finding out within seconds whether a cluster's address can be joined.

Ray itself waits minutes for a port where something else listens, and then ends the process. So the
first bytes of the protocol are exchanged here: a control store speaks gRPC, and the first thing
that a gRPC server sends is a SETTINGS frame.

Source: M. Thomson and C. Benfield, "HTTP/2", RFC 9113, 2022, sections 3.4, 4.1 and 6.5.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Final

from mlops_ray.errors import ClusterError, ConfigError

__all__ = ["await_address", "check_address", "check_form", "head_timeout_s"]

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]?")
_TIMEOUT_S: Final = 5.0
_WAIT_VARIABLE: Final = "MLOPS_RAY_HEAD_TIMEOUT_S"
_EVERY_S: Final = 0.5
_LONGEST_WAIT_S: Final = 86_400.0
_EMPTY_SETTINGS: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _EMPTY_SETTINGS
_FRAME_TYPE: Final = slice(3, 4)
_SETTINGS: Final = bytes([4])


def check_address(address: str, timeout_s: float = _TIMEOUT_S) -> None:
    """Check the form of `address` and that a gRPC server answers; ``auto`` is left to Ray.

    Raises:
        ConfigError: It has not the form ``host:port``.
        ClusterError: Nothing, or something that is no Ray control store, listens there.

    Example:
        >>> check_address("http://127.0.0.1:8265")
        Traceback (most recent call last):
        mlops_ray.errors.ConfigError: a URL is not the address of a cluster's control store: ...
    """
    if address == "auto":
        return
    host, port = check_form(address)
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            answer = b"" if _is_encrypted() else _greet(connection)
    except OSError as error:
        raise _unreachable(address, str(error.strerror or error)) from error
    if not _is_encrypted() and answer[_FRAME_TYPE] != _SETTINGS:
        raise _unreachable(address, "a server that does not speak Ray's protocol")


def await_address(address: str) -> None:
    """Check an address as `check_address` does, and wait for a cluster that is not there yet.

    Raises:
        ConfigError: It has not the form ``host:port``, or what is to be waited is no time.
        ClusterError: Nothing, or something that is no Ray control store, listens there in the end.
    """
    deadline = time.monotonic() + head_timeout_s()
    while True:
        try:
            return check_address(address)
        except ClusterError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_EVERY_S)


def head_timeout_s() -> float:
    """How long to wait for a head that does not answer, from the environment or 0.

    Raises:
        ConfigError: The environment holds no number of seconds.

    Example:
        >>> head_timeout_s()
        0.0
    """
    text = os.environ.get(_WAIT_VARIABLE, "") or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < _LONGEST_WAIT_S:
        wanted = f"seconds, from 0 and below {_LONGEST_WAIT_S:g}"
        raise ConfigError(f"{_WAIT_VARIABLE} cannot be used", repr(text[:40]), wanted)
    return seconds


def check_form(address: str) -> tuple[str, int]:
    """Host and port of an address; one of another form may hold a password and is never repeated.

    Raises:
        ConfigError: It has not the form ``host:port``.

    Example:
        >>> check_form("[::1]:6379")
        ('::1', 6379)
    """
    wanted = "host:port, such as 10.0.0.1:6379"
    if "://" in address:
        raise ConfigError(
            "a URL is not the address of a cluster's control store",
            wanted=wanted,
            hint="for an http address, hand the work in with 'ray job submit'",
        )
    host, _, port = address.rpartition(":")
    if not (_HOST.fullmatch(host) and port.isdecimal() and 0 < int(port) < 2**16):
        raise ConfigError("a cluster's address has the form host:port", wanted=wanted)
    return host.strip("[]"), int(port)


def _is_encrypted() -> bool:
    # With TLS the greeting would need the client's certificate; Ray then judges alone.
    return os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}


def _greet(connection: socket.socket) -> bytes:
    connection.sendall(_GREETING)
    answer = b""
    while len(answer) < len(_EMPTY_SETTINGS) and (piece := connection.recv(64)):
        answer += piece
    return answer


def _unreachable(address: str, got: str) -> ClusterError:
    return ClusterError(
        f"no Ray cluster can be reached at {address}",
        got,
        hint="check --address and RAY_ADDRESS, or leave both out to run locally",
    )
