"""The trial ledger: what a search has done so far, so that the same command can go on after a kill.

One line a record, appended by one writer and never changed: the first 16 hex digits of the SHA-256
of the rest, a blank, the record as canonical JSON. The first line names the stage key that the
records belong to. A line that was cut off fails its checksum: it and what follows are dropped.
Lines are on disk once a second; a kill of the process loses none that was written.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import BusyError, StoreError
from mlops_ray.manifest.canonical import canonical_bytes
from mlops_ray.search.trial import TrialRecord
from mlops_ray.storage import digest, fail_point, hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LEDGER_SCHEMA", "Ledger", "open_ledger"]

LEDGER_SCHEMA: Final = "mlops-ray/ledger/v1"
_CHECKSUM_LENGTH: Final = 16
_SYNC_EVERY_S: Final = 1.0


class Ledger:
    """An open ledger.

    Attributes:
        records: What it held when it was opened, in the order in which it was written.
    """

    def __init__(self, descriptor: int, key: str) -> None:
        self._descriptor = descriptor
        self._synced_s = time.monotonic()
        data = _read_all(descriptor)
        n_bytes, lines = _whole_lines(data)
        if not lines or lines[0] != _head(key):
            n_bytes, lines = 0, []
        self.records = _records(lines[1:])
        os.ftruncate(descriptor, n_bytes)
        if not lines:
            self._write(_head(key))

    def append(self, record: TrialRecord) -> None:
        """Add a record.

        Raises:
            StoreError: The file system refuses.
        """
        fail_point("ledger.append")
        with _store_errors():
            self._write(record.to_bytes())
            fail_point("ledger.appended")
            if time.monotonic() - self._synced_s >= _SYNC_EVERY_S:
                self.sync()

    def sync(self) -> None:
        """Have on disk what was written.

        Raises:
            StoreError: The file system refuses.
        """
        with _store_errors():
            os.fsync(self._descriptor)
        self._synced_s = time.monotonic()

    def _write(self, content: bytes) -> None:
        line = _checksum(content) + b" " + content + b"\n"
        n_written = os.write(self._descriptor, line)
        if n_written < len(line):  # The disk is full; the next write says so, or goes on.
            os.write(self._descriptor, line[n_written:])


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Open the ledger of a stage key, made where there is none; this process is its only writer.

    Args:
        path: Its file; the name without suffix is the key.

    Raises:
        BusyError: Another process writes it.
        StoreError: It cannot be read or written.
    """
    with _store_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        _lock(descriptor, path)
        with _store_errors():
            ledger = Ledger(descriptor, path.stem)
        yield ledger
        ledger.sync()
    finally:
        os.close(descriptor)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            "the trial ledger cannot be written",
            error.strerror or str(error),
            hint="free disk space; the same command goes on where this one stopped",
        ) from error


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(f"{path.name} is written by another process") from None


def _head(key: str) -> bytes:
    return canonical_bytes({"schema": LEDGER_SCHEMA, "key": key})


def _checksum(content: bytes) -> bytes:
    return hex_of(digest(content))[:_CHECKSUM_LENGTH].encode()


def _read_all(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0) if size else b""


def _whole_lines(data: bytes) -> tuple[int, list[bytes]]:
    """Content of the lines up to the first that is cut off or damaged, and their bytes together."""
    n_bytes, contents = 0, []
    for line in data.splitlines(keepends=True):
        checksum, _, content = line[:-1].partition(b" ")
        if not line.endswith(b"\n") or checksum != _checksum(content):
            break
        n_bytes += len(line)
        contents.append(content)
    return n_bytes, contents


def _records(lines: list[bytes]) -> list[TrialRecord]:
    return [TrialRecord.from_bytes(line) for line in lines]
