"""Notices that the head of a joined cluster is gone before Ray ends this process without a word.

Whatever waits for Ray cannot be woken up: after a minute without its control store Ray's C++ code
exits with 1 and names a log file on the head. So whoever has an exit code and a sentence to say
instead leaves a handler here, which is called a moment earlier, from a thread.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
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
def watched_head(address: str, patience_s: float | None = None) -> Iterator[None]:
    """Watch a head for the length of a block, if there is a handler for its loss.

    Args:
        address: ``host:port`` of its control store.
        patience_s: How long it may be silent; a head with storage of its own may come back. By
            default 5 s less than Ray waits for it.
    """
    if not _handlers:
        yield
        return
    given = float(os.environ.get(_PATIENCE_VARIABLE, _PATIENCE_S)) - _EARLIER_S
    limit_s = max(given, _EVERY_S) if patience_s is None else patience_s
    ended = Event()
    Thread(target=_watch, args=(address, limit_s, ended), daemon=True, name="head watch").start()
    try:
        yield
    finally:
        ended.set()


def _watch(address: str, limit_s: float, ended: Event) -> None:
    seen = time.monotonic()
    while not ended.wait(_EVERY_S):
        try:
            check_address(address, _ANSWER_S)
            seen = time.monotonic()
        except ClusterError as error:
            silent_s = time.monotonic() - seen
            if silent_s > limit_s and not ended.is_set():
                _handlers[0](_lost(address, silent_s, error))
                return


def _lost(address: str, silent_s: float, last: ClusterError) -> ClusterError:
    return ClusterError(
        f"the Ray cluster at {address} is lost",
        f"{last.got} for {silent_s:.0f} s",
        hint="start the cluster, then the same command again; a run goes on where it was",
    )
