"""Keys and bytes in an S3 bucket; what is written was seen there, what is read is what was written.

An upload counts once the server was asked again and shows the same size and, as ETag, the MD5 of
the bytes. Where the ETag is something else (several parts, KMS) the bytes are read back. MD5 guards
against accidents on the way only: what an object is, its SHA-256 decides at every read.

Bytes below 5 MiB are sent by one PUT, more in parts; both become visible whole or not at all. Parts
that a killed writer left are invisible but stored: give the bucket a lifecycle rule
``AbortIncompleteMultipartUpload``. A server that stands still is left after some seconds; one that
drips a few bytes a second for ever is not, since the client below has no limit for that.

Tested with moto behind a proxy that breaks requests and answers, not with AWS.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mlops_ray.storage.content import PIECE_BYTES, Content
from mlops_ray.storage.encryption import check_encryption
from mlops_ray.storage.retry import TransientError, give_up_after_s, missing_bucket, persistently
from mlops_ray.storage.s3_client import client, has_bucket, list_files, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pyarrow import fs

    from mlops_ray.storage.location import RemoteLocation
    from mlops_ray.storage.s3_client import Head

__all__ = ["Bucket"]

_T = TypeVar("_T")
# A server may not show for a moment what it just took (S3 before 2021, some of its imitations).
_LOOKS: Final = 5
_FIRST_LOOK_AGAIN_S: Final = 0.05
_FILLERS: Final = itertools.cycle(range(256))
_PROBE_KEY: Final = "encryption-probe"
_PROBE: Final = b"written to see whether the bucket encrypts\n"


class Bucket:
    """The keys below a prefix of a bucket; it may be sent to other processes.

    Every method raises `BusyError` where the server could not be asked within the time allowed,
    `NotPermittedError` where it refuses the credentials, `StoreError` where there is no bucket.
    """

    def __init__(self, location: RemoteLocation) -> None:
        self.location = location
        parts = (location.bucket, location.prefix)
        self._base = "".join(f"{part}/" for part in parts if part)
        self._was_seen = False
        self._is_proven = location.sse is None

    def head(self, key: str, *, is_expected: bool = False) -> Head | None:
        """Size, time and ETag of a key; None without one.

        Args:
            key: Relative to the prefix.
            is_expected: Look a few times before believing that it is not there.
        """
        do = self._look_patiently if is_expected else self._look
        found = self._persistently(lambda: do(key), f"look for {key}")
        if found is None:
            self._check_bucket()
        return found

    def read(self, key: str) -> bytes | None:
        """The bytes of a small key whose name does not tell its digest; None without one."""
        return self._persistently(lambda: self._read_once(key), f"read {key}")

    def read_into(self, key: str, head: Head, take: Callable[[memoryview], object]) -> None:
        """Hand the bytes of a key to `take` piece by piece, each valid during the call, in one try.

        Raises:
            TransientError: The transfer broke, was too slow, or other than the expected number of
                bytes came. What `take` raises is passed on as it is.
        """
        give_up_at_s = time.monotonic() + give_up_after_s(head.size_bytes)
        n_bytes = 0
        for piece in self._received(key, head.size_bytes):
            n_bytes += len(piece)
            take(piece)
            if time.monotonic() > give_up_at_s:
                break
        if n_bytes != head.size_bytes:
            raise TransientError(f"{n_bytes} of {head.size_bytes} bytes came")

    def write(self, key: str, source: bytes | Path) -> None:
        """Write or replace a key, unless it holds these bytes; ends once the server shows them."""
        self._prove_encryption()
        content = Content(source)
        self._persistently(
            lambda: self._write_once(key, content), f"write {key}", content.size_bytes
        )

    def entries(self, folder: str) -> Iterator[tuple[str, Head]]:
        """Keys below a folder, sorted, with size and time."""
        path = (self._base + folder).rstrip("/")
        found = self._persistently(lambda: list_files(self._client, path), f"list {folder or '/'}")
        if not found:
            self._check_bucket()
        for path, head in found:
            yield path.removeprefix(self._base), head

    def delete(self, key: str) -> None:
        """Delete a key, if it is there."""

        def do() -> None:
            if self._look(key) is not None:
                self._client.delete_file(self._base + key)

        self._persistently(do, f"delete {key}")

    def renew(self, key: str, source: bytes | Path) -> None:
        """Write a key again although it holds these bytes, which renews its time."""
        self._prove_encryption()
        content = Content(source)
        self._persistently(lambda: self._send(key, content), f"renew {key}", content.size_bytes)

    def _write_once(self, key: str, content: Content) -> None:
        # The answer of an earlier try may have been lost after the server took the bytes.
        if self._shows(self._look(key), key, content):
            self._check_encryption(key)
        else:
            self._send(key, content)

    def _send(self, key: str, content: Content) -> None:
        self._transmit(key, content.pieces())
        if not self._shows(self._look_patiently(key), key, content):
            raise TransientError("the server shows other bytes than were sent")
        self._check_encryption(key)

    def _transmit(self, key: str, pieces: Iterable[bytes]) -> None:
        stream = self._client.open_output_stream(self._base + key)
        for piece in pieces:
            stream.write(piece)
        stream.close()

    def _shows(self, head: Head | None, key: str, content: Content) -> bool:
        if head is None or head.size_bytes != content.size_bytes:
            return False
        if head.etag == content.md5:
            return True
        read_back = hashlib.sha256()
        self.read_into(key, head, read_back.update)
        return read_back.hexdigest() == content.sha256

    def _read_once(self, key: str) -> bytes | None:
        head = self._look(key)
        if head is None:
            self._check_bucket()
            return None
        data = self._bytes_of(key, head)
        if hashlib.md5(data, usedforsecurity=False).hexdigest() == head.etag:
            return data
        # Under KMS an ETag says nothing; then the same bytes must come three times.
        if data == self._bytes_of(key, head) == self._bytes_of(key, head):
            return data
        raise TransientError("different bytes came for one key")

    def _received(self, key: str, size_bytes: int) -> Iterator[memoryview]:
        # Of an answer that ends too early the client gives the full length, with what the memory
        # held before. With its own filler each time, no two such reads are taken for one truth.
        filler = bytes([next(_FILLERS)]) * min(max(size_bytes, 1), PIECE_BYTES)
        piece = bytearray(filler)
        try:
            stream = self._client.open_input_stream(self._base + key)
            while n_bytes := stream.readinto(piece):
                yield memoryview(piece)[:n_bytes]
                piece[:] = filler
        except OSError as error:
            raise TransientError("the transfer broke", error) from error

    def _bytes_of(self, key: str, head: Head) -> bytes:
        data = bytearray()
        self.read_into(key, head, data.extend)
        return bytes(data)

    def _look(self, key: str) -> Head | None:
        found = look(self._client, self._base + key)
        self._was_seen = self._was_seen or found is not None
        return found

    def _look_patiently(self, key: str) -> Head | None:
        for n_looks in range(_LOOKS):
            if n_looks:
                time.sleep(_FIRST_LOOK_AGAIN_S * 2**n_looks)
            found = self._look(key)
            if found is not None:
                return found
        return None

    def _check_bucket(self) -> None:
        """Tell a missing bucket from a missing key, once."""
        if self._was_seen:
            return
        name = self.location.bucket
        if not self._persistently(lambda: has_bucket(self._client, name), "look for the bucket"):
            raise missing_bucket(str(self.location))
        self._was_seen = True

    def _prove_encryption(self) -> None:
        """Before anything that matters, write one line and see whether it is encrypted."""
        if not self._is_proven:
            probe = Content(_PROBE)
            self._persistently(lambda: self._write_once(_PROBE_KEY, probe), "prove the encryption")
            self._is_proven = True

    def _check_encryption(self, key: str) -> None:
        if self.location.sse is not None:
            check_encryption(self.location, f"{self._base}{key}".partition("/")[2])

    def _persistently(self, do: Callable[[], _T], what: str, size_bytes: int = 0) -> _T:
        return persistently(do, what, str(self.location), size_bytes)

    @functools.cached_property
    def _client(self) -> fs.S3FileSystem:
        return client(self.location.region, self.location.endpoint_override)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_client"}
