"""Notices that the head of a joined cluster is gone before Ray ends this process without a word.

Whatever waits for Ray cannot be woken up: after a minute without its control store Ray's C++ code
exits with 1 and names a log file on the head. So whoever has an exit code and a sentence to say
instead leaves a handler here, which is called a moment earlier, from a thread. A process hangs on
the node of its own machine, too: when that ends it can never go on, even if the control store does
or another one answers in its place.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ClusterError
from mlops_ray.runtime.address import check_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["handle_lost_head", "watched_head"]

_PATIENCE_VARIABLE: Final = "RAY_gcs_rpc_server_reconnect_timeout_s"
_PATIENCE_S: Final = 60.0  # Ray's default.
_EARLIER_S: Final = 5.0
_EVERY_S: Final = 1.0
_ANSWER_S: Final = 2.0
_handlers: list[Callable[[ClusterError], None]] = []


def handle_lost_head(handler: Callable[[ClusterError], None]) -> None:
    """Call this where the head of a joined cluster is lost, in place of any handler before.

    Args:
        handler: Ends the process; Ray does so soon if it comes back.
    """
    _handlers[:] = [handler]


@contextmanager
def watched_head(
    address: str, node: str | None = None, patience_s: float | None = None
) -> Iterator[None]:
    """Watch a head for the length of a block, if there is a handler for its loss.

    Args:
        address: ``host:port`` of its control store.
        node: Unix socket of the node of this machine.
        patience_s: How long it may be silent; a head with storage of its own may come back. By
            default 5 s less than Ray waits for it.
    """
    if not _handlers:
        yield
        return
    given = float(os.environ.get(_PATIENCE_VARIABLE, _PATIENCE_S)) - _EARLIER_S
    limit_s = max(given, _EVERY_S) if patience_s is None else patience_s
    ended = Event()
    watch = _Watch(address, limit_s, ended)
    Thread(target=watch.until_ended, args=(node,), daemon=True, name="head watch").start()
    try:
        yield
    finally:
        ended.set()


@dataclass(frozen=True, slots=True)
class _Watch:
    address: str
    limit_s: float
    ended: Event

    def until_ended(self, node: str | None) -> None:
        """Look every second, and call the handler if the head is lost."""
        seen = time.monotonic()
        with _connected(node) as connection:
            while not (lost := self._loss(connection, seen)):
                if self.ended.is_set():
                    return
                if lost is None:
                    seen = time.monotonic()
        if not self.ended.is_set():
            hint = "start the cluster, then the same command again; a run goes on where it was"
            what = f"the Ray cluster at {self.address} is lost"
            _handlers[0](ClusterError(what, lost, hint=hint))

    def _loss(self, connection: socket.socket | None, seen: float) -> str | None:
        """Why the head is lost; empty where it is only silent yet, None where all is well."""
        if self._is_closed(connection):
            return "its node on this machine has ended"
        try:
            check_address(self.address, _ANSWER_S)
        except ClusterError as error:
            silent_s = time.monotonic() - seen
            return f"{error.got} for {silent_s:.0f} s" if silent_s > self.limit_s else ""
        return None

    def _is_closed(self, connection: socket.socket | None) -> bool:
        """Let a moment go by; whether the other side has closed meanwhile."""
        if connection is None:
            self.ended.wait(_EVERY_S)
            return False
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:  # Reset.
            return True


def _connected(node: str | None) -> closing[socket.socket] | nullcontext[None]:
    """A connection that says nothing, and ends with the node."""
    if node is None:
        return nullcontext()
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(node)
    except OSError:  # Its path is too long from here, or it is another user's.
        connection.close()
        return nullcontext()
    connection.settimeout(_EVERY_S)
    return closing(connection)
