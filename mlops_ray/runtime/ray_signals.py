"""What starting Ray must leave alone of a program's answer to Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["interrupts_here_only", "own_sigterm_handler"]


@contextmanager
def own_sigterm_handler() -> Iterator[None]:
    """Keep the program's handler of SIGTERM, which `ray.init` replaces by its own."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        if ended.code == signal.SIGTERM and callable(handler):
            handler(signal.SIGTERM, None)  # The signal came while Ray's handler was in place.
        raise
    finally:
        if _is_main_thread() and callable(handler):  # Without one, Ray's is better than none.
            signal.signal(signal.SIGTERM, handler)


@contextmanager
def interrupts_here_only() -> Iterator[None]:
    """Answer Ctrl-C in this process alone, for the length of a block.

    Ray's processes are forks of this one until they have become programs of their own, and a
    terminal interrupts them too: they would print a traceback. They block the signal in any case.
    """
    handler, here = signal.getsignal(signal.SIGINT), os.getpid()
    if not _is_main_thread() or not callable(handler):
        yield
        return

    def answer(number: int, frame: FrameType | None) -> None:
        if os.getpid() == here:
            handler(number, frame)

    signal.signal(signal.SIGINT, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
