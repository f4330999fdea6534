"""One key of a bucket as a file that can be read anywhere, as long as it is still the same one.

Every range is asked for persistently, so a dropped connection is no torn file. A key that was
replaced since its ETag was noted is told apart from a damaged one.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from mlops_ray.errors import SourceError, Where
from mlops_ray.storage.retry import TransientError, persistently
from mlops_ray.storage.s3_client import Head, client, look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyarrow import fs

__all__ = ["S3File"]

_PIECE_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class S3File:
    """A key of a bucket; small enough to be sent to any worker, and without credentials.

    Attributes:
        bucket: Name of the bucket.
        key: The key.
        region: Region of the bucket; empty where the environment or the profile says it.
        endpoint_override: URL of another server that speaks S3; empty for AWS.
        etag: What the server called its bytes when they were pinned; empty before.
    """

    bucket: str
    key: str
    region: str = ""
    endpoint_override: str = ""
    etag: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def head(self) -> Head:
        """What the server says of the key now.

        Raises:
            SourceError: It is gone, or no longer the one that was pinned.
        """
        found = persistently(lambda: look(self.client, self.path), f"look for {self}", str(self))
        if found is None:
            raise self._changed("no such key")
        if self.etag and found.etag != self.etag:
            raise self._changed("other bytes under the same key")
        return found

    def pinned(self) -> Self:
        """This key as it is now."""
        return replace(self, etag=self.head().etag)

    def open(self) -> io.RawIOBase:
        """The bytes, to be read and sought in."""
        return _Reader(self, self.head().size_bytes)

    def pieces(self) -> Iterator[bytes]:
        """All bytes in order, some megabytes at a time."""
        with self.open() as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece

    def digest(self) -> str:
        """SHA-256 of the bytes, which are read for it."""
        found = hashlib.sha256()
        for piece in self.pieces():
            found.update(piece)
        self.head()  # Not the first half of one object and the second half of another.
        return f"sha256:{found.hexdigest()}"

    @property
    def path(self) -> str:
        """How pyarrow names it."""
        return f"{self.bucket}/{self.key}"

    @property
    def client(self) -> fs.S3FileSystem:
        """The client of this process for its endpoint."""
        return client(self.region, self.endpoint_override)

    def _changed(self, got: str) -> SourceError:
        return SourceError(
            "the input file changed while the run read it",
            got,
            "the bytes that were there at its start",
            "run again once nobody writes to it, or keep a copy with `mlops-ray data snapshot`",
            Where(file=self.key.rpartition("/")[2]),
        )


class _Reader(io.RawIOBase):
    """Ranges of one key; a connection that broke is opened again."""

    def __init__(self, file: S3File, size_bytes: int) -> None:
        super().__init__()
        self._file, self._size_bytes, self._at = file, size_bytes, 0
        self._handle: object = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        starts = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}
        self._at = starts[whence] + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size_bytes - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        file = self._file
        data = persistently(lambda: self._range(wanted), f"read {file}", str(file), wanted)
        self._at += wanted
        return data

    def _range(self, size: int) -> bytes:
        try:
            if self._handle is None:
                self._handle = self._file.client.open_input_file(self._file.path)
            data = bytes(self._handle.read_at(size, self._at))  # type: ignore[attr-defined]
        except FileNotFoundError:
            self._file.head()  # Says that it is gone, if it is.
            raise TransientError("a key that is there was not found") from None
        except OSError:
            self._handle = None
            raise
        if len(data) != size:
            self._handle = None
            self._file.head()
            raise TransientError(f"{len(data)} of {size} bytes came")
        return data
