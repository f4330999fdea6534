"""Where the bytes of one run can be read: a store; for the other places see `exported_run`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from mlops_ray.errors import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_ray.manifest.run_record import RunRecord
    from mlops_ray.manifest.verification import Problem

__all__ = ["MAX_DOCUMENT_BYTES", "POINTER", "Found", "RunSource", "StoreSource"]

POINTER: Final = "sealed.json"
# Documents and the code archive are parsed in memory; models and tables are only ever digested.
MAX_DOCUMENT_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under an object's name.

    Attributes:
        sha256: Digest of the bytes, or why there is none.
        size_bytes: Their number; None where the digest is another.
    """

    sha256: str
    size_bytes: int | None


class RunSource(Protocol):
    """A run's pointer, signatures and objects, as they are found."""

    @property
    def run_id(self) -> str | None:
        """The id under which the run is kept; None where only its envelope has one."""

    @property
    def problems(self) -> Collection[Problem]:
        """What is wrong with the place itself, such as a link in a folder."""

    @property
    def hint(self) -> str:
        """What to do about the place, where that is known; else empty."""

    def pointer(self) -> bytes | None:
        """The pointer's bytes; None where it is missing."""

    def signatures(self) -> dict[str, bytes]:
        """Files of the signatures by name."""

    def examine(self, name: str) -> Found | None:
        """Digest an object anew; None where it is missing."""

    def has(self, name: str) -> bool:
        """Whether there is such an object; its bytes are not read."""

    def read(self, name: str) -> bytes:
        """The bytes of a document, verified.

        Raises:
            DigestMismatchError: It is missing or its bytes are others.
        """

    def names(self) -> Collection[str] | None:
        """Digests of all objects there; None where other runs' objects lie among them."""


@dataclass(frozen=True, slots=True)
class StoreSource:
    """A run that has ended, in the store where it lies."""

    record: RunRecord
    problems: tuple[Problem, ...] = field(default=())
    hint: str = ""

    @property
    def run_id(self) -> str:
        """The name of the run's folder."""
        return self.record.run_id

    def pointer(self) -> bytes | None:
        """The bytes of ``runs/<run_id>/sealed.json``."""
        return self.record.workspace.store.read_record(f"runs/{self.run_id}/{POINTER}")

    def signatures(self) -> dict[str, bytes]:
        """Files of ``runs/<run_id>/signatures``."""
        store, prefix = self.record.workspace.store, f"runs/{self.run_id}/signatures/"
        found = {key: store.read_record(key) for key in store.record_keys(prefix)}
        return {key.removeprefix(prefix): data for key, data in found.items() if data is not None}

    def examine(self, name: str) -> Found | None:
        """Digest an object anew."""
        try:
            path = self.record.workspace.store.fresh().verified_path(name)
            return Found(name, path.stat().st_size)
        except DigestMismatchError as error:
            return Found(error.got, None) if error.got.startswith("sha256:") else None
        except OSError as error:
            return Found(f"unreadable: {error.strerror}", None)

    def has(self, name: str) -> bool:
        """Whether there is such an object."""
        return self.record.workspace.store.has(name)

    def read(self, name: str) -> bytes:
        """The bytes of a document, verified."""
        return self.record.workspace.store.get(name)

    def names(self) -> None:
        """Nothing: a store holds many runs."""
