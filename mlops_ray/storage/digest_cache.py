"""Digests of files that did not change since they were computed, so that they are not read again.

A file counts as unchanged while size, inode, time of modification and time of the last change of
any kind are as they were. The last of these cannot be set back by a program, so a file that was
edited and given its old time is read again. A file that changed less than two seconds before it was
read is *racy*: a second change might fall into the same tick of the clock, so it is not remembered.

The cache is no record: whoever checks something reads the bytes. A damaged cache is an empty one.
What it cannot see are writes through a memory map that the kernel has not written back yet, and
damage below the file system.

Source: Git project, "Use of index and Racy Git problem", Documentation/technical/racy-git.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlops_ray.storage.digest import digest, digest_file
from mlops_ray.storage.fail_point import fail_point

if TYPE_CHECKING:
    from mlops_ray.storage.s3_file import S3File

__all__ = ["DigestCache"]

_RACY_NS: Final = 2_000_000_000
_BUSY_TIMEOUT_S: Final = 5.0
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, "
    "inode INTEGER, ctime_ns INTEGER, digest TEXT, seal TEXT) WITHOUT ROWID"
)


class _Facts(NamedTuple):
    path: str
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int


class DigestCache:
    """Remembered digests of files; safe for many threads and processes at once.

    Args:
        path: SQLite file, made on first use; its folder is not. Where it cannot be used every
            file is read.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "table.csv").write_bytes(b"")
        >>> DigestCache(folder / "digests.db").digest_file(folder / "table.csv")[:15]
        'sha256:e3b0c442'
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    def digest_file(self, path: Path | S3File) -> str:
        """Digest of a file's raw bytes, read only where the file may have changed.

        A key of a bucket counts as unchanged while its size, time and ETag are as they were.

        Raises:
            OSError: The file cannot be read.
            SourceError: The key of a bucket is gone, or not the one that was pinned.
        """
        if not isinstance(path, Path):
            return self._digest_key(path)
        before = _facts(path)
        known = self._recall(before)
        if known is not None:
            return known
        started_ns = time.time_ns()
        name = digest_file(path)
        newest_ns = max(before.mtime_ns, before.ctime_ns)
        if newest_ns < started_ns - _RACY_NS and _facts(path) == before:
            self._remember(before, name)
        return name

    def _digest_key(self, file: S3File) -> str:
        head = file.head()
        place = f"{file.endpoint_override} {file}#{head.etag}"
        facts = _Facts(place, head.size_bytes, int(head.modified_s * 1e9), 0, 0)
        name = self._recall(facts)
        if name is None:
            name = replace(file, etag=head.etag).digest()
            self._remember(facts, name)
        return name

    def __reduce__(self) -> tuple[Any, ...]:
        return DigestCache, (self.path,)

    def _recall(self, facts: _Facts) -> str | None:
        query = "SELECT size, mtime_ns, inode, ctime_ns, digest, seal FROM digests WHERE path = ?"
        rows = self._execute(query, (facts.path,))
        if not rows or _Facts(facts.path, *rows[0][:4]) != facts:
            return None
        name, seal = rows[0][4:]
        return str(name) if seal == _seal(facts, str(name)) else None

    def _remember(self, facts: _Facts, name: str) -> None:
        row = (*facts, name, _seal(facts, name))
        fail_point("digests.remember")
        self._execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._opened().execute(statement, values).fetchall()
            except sqlite3.OperationalError:
                self._close()  # Busy for long, or a folder that cannot be written.
            except sqlite3.Error:
                self._close()
                self._forget_all()
        return []

    def _opened(self) -> sqlite3.Connection:
        # A connection must not cross a fork.
        if self._connection is None or self._owner != os.getpid():
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection, self._owner = connection, os.getpid()
            # Nothing is lost with a row, and a torn one breaks its seal.
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(_TABLE)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None and self._owner == os.getpid():
            self._connection.close()
        self._connection = None

    def _forget_all(self) -> None:
        for name in (self.path.name, f"{self.path.name}-journal"):
            with suppress(OSError):
                self.path.with_name(name).unlink()

    def __del__(self) -> None:
        self._close()


def _facts(path: Path) -> _Facts:
    found = path.stat()
    return _Facts(
        str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
    )


def _seal(facts: _Facts, name: str) -> str:
    return digest("\0".join((*map(str, facts), name)).encode("utf-8", "surrogateescape"))
