"""The process's stdout, with one exception for all that keeps a result from it; its stderr."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

__all__ = [
    "OutputError",
    "discard_stderr",
    "discard_stdout",
    "kept_from_others",
    "open_streams",
    "release_stdout",
    "reserve_stdout",
    "write_stdout",
]

_state: Final[dict[str, int]] = {}


class OutputError(Exception):
    """A result could not be written to stdout.

    Attributes:
        is_reader_gone: Whoever read the output has left, as `head` does; nobody need be told.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the result cannot be written to stdout: {error.strerror}")
        self.is_reader_gone = error.errno == errno.EPIPE


class _Stdout(io.FileIO):
    # click takes a plain EPIPE for its own and ends the process with 1.
    def write(self, data: Buffer) -> int:
        if "is_closed" in _state:
            raise OutputError(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        try:
            return super().write(data) or 0
        except OSError as error:
            raise OutputError(error) from error


def open_streams() -> None:
    """Make stdout and stderr usable however the process was started, closed ones too."""
    if sys.stdout is None:
        _state["is_closed"] = 1
        _open_null(1)
    if sys.stderr is None:
        _open_null(2)
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
    is_terminal = os.isatty(1)
    buffer = io.BufferedWriter(_Stdout(1, "w", closefd=False))
    # A name that is not UTF-8 is shown escaped, as on stderr.
    sys.stdout = io.TextIOWrapper(
        buffer, encoding="utf-8", errors="backslashreplace", line_buffering=is_terminal
    )


def reserve_stdout() -> None:
    """Keep stdout for the one JSON line: whatever else writes to it, Ray too, goes to stderr."""
    sys.stdout.flush()
    _state["stdout"] = os.dup(1)
    os.dup2(2, 1)


def release_stdout() -> None:
    """Give stdout back as this process got it, for the program that takes its place."""
    sys.stdout.flush()
    if "stdout" in _state:
        os.dup2(_state.pop("stdout"), 1)
    if "is_closed" in _state:
        os.close(1)


@contextmanager
def kept_from_others() -> Iterator[None]:
    """Around work whose libraries print, as Ray does of workers that die: that goes to stderr."""
    if "stdout" in _state or "is_closed" in _state:
        yield
        return
    reserve_stdout()
    try:
        yield
    finally:
        sys.stdout.flush()
        kept = _state.pop("stdout")
        os.dup2(kept, 1)
        os.close(kept)


def write_stdout(data: bytes) -> None:
    """Write a whole result.

    Raises:
        OutputError: It did not get there.
    """
    with _Stdout(_state.get("stdout", 1), "w", closefd=False) as stream:
        while data:
            data = data[stream.write(data) :]


def discard_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's end is quiet."""
    _state.pop("is_closed", None)
    _open_null(1)


def discard_stderr() -> None:
    """The same for stderr."""
    _open_null(2)


def _open_null(number: int) -> None:
    opened = os.open(os.devnull, os.O_WRONLY)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
