"""A content-addressed object store in a local folder.

An object lies at ``objects/<first 2 hex>/<64 hex>``, named by the SHA-256 of its raw bytes, so that
``sha256sum`` can check it. A name that exists is whole: writes go through a temporary file. Reads
verify the digest before anybody parses a byte. Objects are made read-only, since a store that is
edited in place is a store that lies. Beside the objects lie *records*: small files under keys of
their own that point to objects and may be replaced.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from mlops_ray.errors import DigestMismatchError, StoreError
from mlops_ray.storage.atomic import (
    TEMPORARY_PREFIX,
    atomic_writer,
    publish,
    temporary_file,
    write_atomically,
)
from mlops_ray.storage.digest import digest, digest_file, hex_of
from mlops_ray.storage.lease import Lease, lease_of_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

__all__ = ["ObjectStore"]

_HEX: Final = re.compile(r"[0-9a-f]{64}")


class ObjectStore:
    """Objects by digest, and records by key, in a local folder.

    What a process puts or holds is safe from garbage collection until the process ends, or until
    the block of the `lease` ends through which it was put; by then a record must lead to it.

    Attributes:
        root: Folder of the store; made on the first write.

    Example:
        >>> import tempfile
        >>> store = ObjectStore(Path(tempfile.mkdtemp()))
        >>> with store.lease() as writer:
        ...     name = writer.put(b"weights")
        ...     writer.write_record("runs/1/sealed.json", name.encode())
        >>> store.get(name)
        b'weights'
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._lease: Lease | None = None

    @contextmanager
    def lease(self) -> Iterator[Self]:
        """This store, bound to a lease that ends with the block; it may be sent to workers.

        Raises:
            StoreError: The store cannot be written.
        """
        bound = copy.copy(self)
        bound._lease = lease = Lease.taken(self.root)  # noqa: SLF001 - a copy of self
        try:
            yield bound
        finally:
            lease.give_back()

    def is_made(self) -> bool:
        """Whether a store lies there, however empty, and not just any folder or none.

        Objects alone make none: an exported run has them too, and to a collection nothing in it
        would be needed.
        """
        has_records = (self.root / "objects").is_dir() and (self.root / "runs").is_dir()
        return has_records or (self.root / "gate").is_file()

    def fresh(self) -> Self:
        """This store without trust in copies of its objects, for checks; here there are none."""
        return self

    def path(self, name: str) -> Path:
        """Where the object with the digest `name` lies, whether or not it is there."""
        hexed = hex_of(name)
        return self.root / "objects" / hexed[:2] / hexed

    def has(self, name: str) -> bool:
        """Whether an object of this name exists; its bytes are not read."""
        return self.path(name).is_file()

    def hold(self, name: str) -> bool:
        """Keep an object that this writer relies on from being collected; whether it is there.

        Raises:
            StoreError: The store cannot be written, or the lease has ended.
        """
        self._note(name)
        return self.has(name)

    def size_bytes(self, name: str) -> int:
        """Size of an object.

        Raises:
            DigestMismatchError: There is none of this name.
        """
        try:
            return self.path(name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(name) from None

    def is_whole(self, name: str) -> bool:
        """Whether the object is there and its bytes, read again, are those its name says."""
        try:
            return digest_file(self.path(name)) == name
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _unreadable(name, error) from error

    def put(self, data: bytes) -> str:
        """Store bytes; returns their digest. An object that is there and whole is kept.

        Raises:
            StoreError: The disk refuses.
        """
        name = digest(data)
        self._note(name)
        # Equal size is not enough: a damaged object must be healed by writing it again.
        if not self._has_size(name, len(data)) or not self.is_whole(name):
            with atomic_writer(self.path(name)) as stream:
                stream.write(data)
                os.fchmod(stream.fileno(), 0o444)
        return name

    def put_file(self, source: Path) -> str:
        """Copy a file into the store, digesting what is written; returns the digest.

        Raises:
            StoreError: The source changed while it was copied, or the disk refuses.
        """
        name = digest_file(source)
        self._note(name)
        if not self._has_size(name, source.stat().st_size) or not self.is_whole(name):
            with source.open("rb") as data, atomic_writer(self.path(name)) as stream:
                shutil.copyfileobj(data, stream, 1 << 20)
                stream.flush()
                if digest_file(Path(stream.name)) != name:
                    raise StoreError(
                        f"{source.name} changed while it was copied",
                        hint="run again once nobody writes to it",
                    )
                os.fchmod(stream.fileno(), 0o444)
        return name

    def put_written(self, write: Callable[[IO[bytes]], object]) -> str:
        """Store what `write` writes to the stream that it is given; returns the digest.

        For what is made bit by bit, so that nobody knows its digest before.

        Raises:
            StoreError: The disk refuses.
        """
        with temporary_file(self.root / "objects") as stream:
            write(stream)
            stream.flush()
            made = Path(stream.name)
            name = digest_file(made)
            self._note(name)
            if not self._has_size(name, made.stat().st_size) or not self.is_whole(name):
                os.fchmod(stream.fileno(), 0o444)
                publish(stream, self.path(name))
        return name

    def get(self, name: str) -> bytes:
        """The bytes of an object, verified.

        Raises:
            DigestMismatchError: The object is missing or its bytes are others.
        """
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            raise _missing(name) from None
        except OSError as error:
            raise _unreadable(name, error) from error
        if digest(data) != name:
            raise DigestMismatchError(f"object {name} is damaged", digest(data), name)
        return data

    def verified_path(self, name: str) -> Path:
        """Path of an object whose bytes were just checked, for readers that need a file."""
        path = self.path(name)
        got = digest_file(path) if path.is_file() else "nothing"
        if got != name:
            raise DigestMismatchError(f"object {name} is damaged or missing", got, name)
        return path

    def names(self) -> Iterator[str]:
        """Digests of all objects, sorted; temporary files are not objects."""
        for path in sorted(self.root.glob("objects/??/*")):
            if _HEX.fullmatch(path.name) and path.parent.name == path.name[:2]:
                yield f"sha256:{path.name}"

    def delete(self, name: str) -> int:
        """Remove an object, for garbage collection alone; returns the bytes it freed."""
        path = self.path(name)
        try:
            size_bytes = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StoreError(f"object {name} cannot be deleted", str(error.strerror)) from error
        return size_bytes

    def write_record(self, key: str, data: bytes) -> None:
        """Write or replace the record under a relative POSIX key, whole or not at all.

        Raises:
            StoreError: The disk refuses, or `key` leads out of the store or among its objects.
        """
        write_atomically(self._record_path(key), data)

    def read_record(self, key: str) -> bytes | None:
        """The bytes of a record; None where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            return self._record_path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"record {key} cannot be read", str(error.strerror)) from error

    def record_keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, sorted."""
        folder = self._record_path(prefix.rpartition("/")[0] or ".")
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in found:
            key = path.relative_to(self.root).as_posix()
            is_record = not (path.name.startswith(TEMPORARY_PREFIX) or key.startswith("objects/"))
            if is_record and key.startswith(prefix):
                yield key

    def delete_record(self, key: str) -> None:
        """Remove a record, if it is there."""
        try:
            self._record_path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"record {key} cannot be deleted", str(error.strerror)) from error

    def record_used_at_s(self, key: str) -> float | None:
        """When a record was written or marked as used, in seconds since 1970; None without one."""
        try:
            return self._record_path(key).stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None

    def mark_record_used(self, key: str) -> None:
        """Note that a record was of use just now, so that it is not dropped as unused."""
        try:
            os.utime(self._record_path(key))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"record {key} cannot be marked", str(error.strerror)) from error

    def _record_path(self, key: str) -> Path:
        parts = key.split("/")
        if ".." in parts or parts[0] in {"", "objects"}:
            raise StoreError("not a key of a record", repr(key), "a relative path with /")
        return self.root / key

    def _note(self, name: str) -> None:
        (self._lease or lease_of_process(self.root)).note(name)

    def _has_size(self, name: str, size_bytes: int) -> bool:
        try:
            return self.size_bytes(name) == size_bytes
        except DigestMismatchError:
            return False


def _missing(name: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"object {name} is missing from the store",
        hint="restore it from a copy of the store, or run again",
    )


def _unreadable(name: str, error: OSError) -> StoreError:
    return StoreError(f"object {name} cannot be read", str(error.strerror))
