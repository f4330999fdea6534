"""A lock between processes that the kernel releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import BusyError, StoreError
from mlops_ray.storage.fail_point import fail_point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["process_lock"]

_LOOK_EVERY_S: Final = 0.02


@contextmanager
def process_lock(
    path: Path, *, on_wait: Callable[[], None] | None = None, timeout_s: float | None = None
) -> Iterator[None]:
    """Hold the lock `path` for the block; threads of one process exclude each other too.

    Args:
        path: File of the lock; made here, removed by whoever holds it last.
        on_wait: Called once if somebody else holds it.
        timeout_s: How long to wait; None waits until the holder is gone.

    Raises:
        BusyError: Somebody else held it for all of `timeout_s`.
        StoreError: The file cannot be made.

    Example:
        >>> import tempfile, pathlib
        >>> with process_lock(pathlib.Path(tempfile.mkdtemp()) / "lock"):
        ...     pass
    """
    descriptor = _acquire(path, on_wait, timeout_s)
    try:
        fail_point("lock.taken")
        yield
    finally:
        # Removed while held: a process that waits for this file finds it nameless and opens anew.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, on_wait: Callable[[], None] | None, timeout_s: float | None) -> int:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        descriptor = _open(path)
        try:
            if not _is_locked_at_once(descriptor):
                _say_once(on_wait)
                on_wait = None
                _wait(descriptor, deadline, path)
            is_ours = _is_current(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if is_ours:
            return descriptor
        os.close(descriptor)


def _say_once(on_wait: Callable[[], None] | None) -> None:
    if on_wait is not None:
        on_wait()


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"cannot make the lock {path.name}", f"{error.strerror or error} in {path.parent}"
        ) from error


def _is_locked_at_once(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(descriptor: int, deadline: float | None, path: Path) -> None:
    if deadline is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    while not _is_locked_at_once(descriptor):
        if time.monotonic() >= deadline:
            raise BusyError(
                f"{path.name} is locked by another process", hint="try again in a moment"
            )
        time.sleep(_LOOK_EVERY_S)


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev)
