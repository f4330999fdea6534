"""A content-addressed object store in a local folder.

An object lies at ``objects/<first 2 hex>/<64 hex>``, named by the SHA-256 of its raw bytes, so that
``sha256sum`` can check it. A name that exists is whole: writes go through a temporary file. Reads
verify the digest before anybody parses a byte. Objects are made read-only, since a store that is
edited in place is a store that lies.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ray.errors import DigestMismatchError, StoreError
from mlops_ray.storage.atomic import atomic_writer
from mlops_ray.storage.digest import digest, digest_file, hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ObjectStore"]


class ObjectStore:
    """Objects by digest in a local folder.

    Attributes:
        root: Folder of the store; made on the first write.

    Example:
        >>> import tempfile
        >>> store = ObjectStore(Path(tempfile.mkdtemp()))
        >>> store.get(store.put(b"weights"))
        b'weights'
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def path(self, name: str) -> Path:
        """Where the object with the digest `name` lies, whether or not it is there."""
        hexed = hex_of(name)
        return self.root / "objects" / hexed[:2] / hexed

    def has(self, name: str) -> bool:
        """Whether an object of this name exists; its bytes are not read."""
        return self.path(name).is_file()

    def put(self, data: bytes) -> str:
        """Store bytes; returns their digest. An object that is there and whole is kept."""
        name = digest(data)
        if not self._is_whole(name, len(data)):
            with atomic_writer(self.path(name)) as stream:
                stream.write(data)
            self._protect(name)
        return name

    def put_file(self, source: Path) -> str:
        """Copy a file into the store, digesting what is written; returns the digest.

        Raises:
            StoreError: The source changed while it was copied, or the disk refuses.
        """
        name = digest_file(source)
        if not self._is_whole(name, source.stat().st_size):
            with source.open("rb") as data, atomic_writer(self.path(name)) as stream:
                shutil.copyfileobj(data, stream, 1 << 20)
                stream.flush()
                if digest_file(Path(stream.name)) != name:
                    raise StoreError(
                        f"{source.name} changed while it was copied",
                        hint="run again once nobody writes to it",
                    )
            self._protect(name)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of an object, verified.

        Raises:
            DigestMismatchError: The object is missing or its bytes are others.
        """
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            raise DigestMismatchError(
                f"object {name} is missing from the store",
                hint="restore it from a copy of the store, or run again",
            ) from None
        except OSError as error:
            raise StoreError(f"object {name} cannot be read", str(error.strerror)) from error
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
            if len(path.name) == hashlib.sha256().digest_size * 2:
                yield f"sha256:{path.name}"

    def _is_whole(self, name: str, size_bytes: int) -> bool:
        # Equal size is not enough: a damaged object must be healed by writing it again.
        path = self.path(name)
        return path.is_file() and path.stat().st_size == size_bytes and digest_file(path) == name

    def _protect(self, name: str) -> None:
        os.chmod(self.path(name), 0o444)  # noqa: PTH101 - one system call, no lookup
