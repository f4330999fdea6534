"""A content-addressed object store in an S3 bucket, with a whole local store as its cache.

What is put is written to the cache first and then uploaded, and a put returns once the server shows
the bytes; so whoever writes a record after it points to what is there. What is read comes from the
cache or, digest checked, from the server: bytes that do not fit their name are never handed on.

File locks do not exist there. What keeps garbage collection off a writer's objects is their age:
nothing younger than `GRACE_S` is collected, and whoever relies on an object older than half of that
uploads it again, which renews its time (`remote_collect`).
"""

from __future__ import annotations

import copy
import functools
import hashlib
import time
from typing import TYPE_CHECKING, Final, Self

from mlops_ray.errors import DigestMismatchError
from mlops_ray.storage.atomic import atomic_writer
from mlops_ray.storage.bucket import Bucket
from mlops_ray.storage.digest import hex_of
from mlops_ray.storage.object_store import ObjectStore
from mlops_ray.storage.retry import TransientError, persistently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    from mlops_ray.storage.location import RemoteLocation
    from mlops_ray.storage.s3_client import Head

__all__ = ["GRACE_S", "RemoteStore", "age_s"]

GRACE_S: Final = 24 * 3600.0
_HEX_DIGITS: Final = hashlib.sha256().digest_size * 2
# Broken transfers differ from each other; the same wrong bytes again and again are what lies there.
_SAME_WRONG_BYTES: Final = 3


class RemoteStore(ObjectStore):
    """Objects and records in a bucket; the cache below `root` can be deleted at any time.

    Beyond what `ObjectStore` raises, every method may raise `BusyError` (the server could not be
    asked), `NotPermittedError` (it refuses the credentials) and `StoreError` (no such bucket).

    Args:
        root: Folder of the cache.
        location: Where the store lies.
    """

    def __init__(self, root: Path, location: RemoteLocation) -> None:
        super().__init__(root)
        self.location = location
        self.bucket = _bucket(location)
        # None trusts whole objects of the cache; a set, only what this store fetched itself.
        self._fetched: set[str] | None = None

    def is_made(self) -> bool:
        """Whether the bucket holds a record below the prefix; objects alone may be an export's."""
        kinds = ("runs", "stages")
        return any(next(self.bucket.entries(kind), None) is not None for kind in kinds)

    def fresh(self) -> Self:
        """This store without trust in the cache: what is read is fetched, for checks."""
        other = copy.copy(self)
        other._fetched = set()  # noqa: SLF001 - a copy of self
        return other

    def head(self, name: str) -> Head | None:
        """Size and time of an object of the server; None without one."""
        return self.bucket.head(_key(name))

    def has(self, name: str) -> bool:
        """Whether the server has an object of this name; its bytes are not read."""
        return self.head(name) is not None

    def hold(self, name: str) -> bool:
        """Keep an object from being collected for a while; whether the server has it.

        One that only the cache has is uploaded, one that is old is uploaded again.
        """
        head = self.head(name)
        if head is None:
            if not self._cache.is_whole(name):
                return False
            self._upload(name)
        elif age_s(head) > GRACE_S / 2:
            self.bucket.renew(_key(name), self.verified_path(name))
        return True

    def size_bytes(self, name: str) -> int:
        """Size of an object.

        Raises:
            DigestMismatchError: There is none of this name.
        """
        if self._is_trusted(name) and self._cache.has(name):
            return self._cache.size_bytes(name)
        return self._head(name).size_bytes

    def is_whole(self, name: str) -> bool:
        """Whether the server has the object and its bytes are those its name says."""
        if self._is_trusted(name) and self._cache.is_whole(name):
            return self.has(name)
        try:
            self._fetch(name)
        except DigestMismatchError:
            return False
        return True

    def put(self, data: bytes) -> str:
        """Store bytes; returns their digest once the server shows them."""
        name = self._cache.put(data)
        self._upload(name)
        return name

    def put_file(self, source: Path) -> str:
        """Store a copy of a file; returns its digest once the server shows it."""
        name = self._cache.put_file(source)
        self._upload(name)
        return name

    def put_written(self, write: Callable[[IO[bytes]], object]) -> str:
        """Store what `write` writes; returns its digest once the server shows it."""
        name = self._cache.put_written(write)
        self._upload(name)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of an object, verified.

        Raises:
            DigestMismatchError: The object is missing or its bytes are others.
        """
        self.verified_path(name)
        return self._cache.get(name)

    def verified_path(self, name: str) -> Path:
        """Path in the cache of an object whose bytes were just checked."""
        if not (self._is_trusted(name) and self._cache.is_whole(name)):
            self._fetch(name)
        return self.path(name)

    def names(self) -> Iterator[str]:
        """Digests of all objects of the server, sorted."""
        for name, _ in self.heads():
            yield name

    def heads(self) -> Iterator[tuple[str, Head]]:
        """Digest, size and time of all objects of the server, sorted."""
        for key, head in self.bucket.entries("objects"):
            hexed = key.rpartition("/")[2]
            if len(hexed) == _HEX_DIGITS and key == f"objects/{hexed[:2]}/{hexed}":
                yield f"sha256:{hexed}", head

    def delete(self, name: str) -> int:
        """Remove an object, for garbage collection alone; returns the bytes it freed."""
        head = self.head(name)
        self.bucket.delete(_key(name))
        self._cache.delete(name)
        return head.size_bytes if head else 0

    def write_record(self, key: str, data: bytes) -> None:
        """Write or replace a record; returns once the server shows it."""
        self._record_path(key)
        self.bucket.write(key, data)

    def read_record(self, key: str) -> bytes | None:
        """The bytes of a record, from the server; None where there is none."""
        self._record_path(key)
        return self.bucket.read(key)

    def record_keys(self, prefix: str) -> Iterator[str]:
        """Keys of records that begin with `prefix`, sorted."""
        for key, _ in self.bucket.entries(prefix.rpartition("/")[0]):
            if key.startswith(prefix) and not key.startswith("objects/"):
                yield key

    def delete_record(self, key: str) -> None:
        """Remove a record, if it is there."""
        self._record_path(key)
        self.bucket.delete(key)

    def record_used_at_s(self, key: str) -> float | None:
        """When a record was written or marked as used, by the server's clock."""
        head = self.bucket.head(key)
        return head.modified_s if head else None

    def mark_record_used(self, key: str) -> None:
        """Renew the time of a record, if that is older than half the grace time."""
        head = self.bucket.head(key)
        if head is not None and age_s(head) > GRACE_S / 2:
            data = self.bucket.read(key)
            if data is not None:
                self.bucket.renew(key, data)

    @property
    def _cache(self) -> ObjectStore:
        """The cache as a store of its own, whose methods ask no server."""
        cache = ObjectStore(self.root)
        cache._lease = self._lease  # noqa: SLF001 - the base of self
        return cache

    def _upload(self, name: str) -> None:
        key, path = _key(name), self.path(name)
        head = self.bucket.head(key)
        if head is not None and age_s(head) > GRACE_S / 2:
            self.bucket.renew(key, path)
        else:
            self.bucket.write(key, path)

    def _fetch(self, name: str) -> None:
        """Bring an object into the cache; nothing else ever gets there."""
        head = self._head(name)
        wrong: list[str] = []
        persistently(
            lambda: self._fetch_once(name, head, wrong),
            f"read object {name}",
            str(self.location),
            head.size_bytes,
        )
        if self._fetched is not None:
            self._fetched.add(name)

    def _fetch_once(self, name: str, head: Head, wrong: list[str]) -> None:
        sha256 = hashlib.sha256()
        with atomic_writer(self.path(name)) as stream:

            def take(piece: memoryview) -> None:
                sha256.update(piece)
                stream.write(piece)

            self.bucket.read_into(_key(name), head, take)
            got = f"sha256:{sha256.hexdigest()}"
            if got != name:
                wrong.append(got)
                if wrong.count(got) == _SAME_WRONG_BYTES:
                    raise DigestMismatchError(f"object {name} is damaged", got, name)
                raise TransientError("other bytes came than the object's name says")

    def _head(self, name: str) -> Head:
        head = self.bucket.head(_key(name), is_expected=True)
        if head is None:
            raise DigestMismatchError(
                f"object {name} is missing from {self.location}",
                hint="restore it from a copy of the store, or run again",
            )
        return head

    def _is_trusted(self, name: str) -> bool:
        return self._fetched is None or name in self._fetched


@functools.cache
def _bucket(location: RemoteLocation) -> Bucket:
    """One a process, since it remembers what it found out about the bucket."""
    return Bucket(location)


def age_s(head: Head) -> float:
    """How long ago something was written, as far as both clocks agree."""
    return time.time() - head.modified_s


def _key(name: str) -> str:
    hexed = hex_of(name)
    return f"objects/{hexed[:2]}/{hexed}"
