"""A run outside a store: a folder or a tar that `runs export` wrote, or that says so."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import DigestMismatchError, ManifestError, NotFoundError, StoreError
from mlops_ray.manifest.export_listing import (
    OBJECT_MEMBER,
    POINTER_MEMBER,
    SIGNATURE_MEMBER,
    Listing,
    Piece,
    list_folder,
    list_tar,
    object_member,
)
from mlops_ray.manifest.run_source import MAX_DOCUMENT_BYTES, Found
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.manifest.verification import Problem

__all__ = ["ExportedRun", "open_export"]

_MAX_RECORD_BYTES: Final = 4 << 20  # Of a pointer or a signature.
_WAY_OUT: Final = (
    "name a run, or a folder or tar that `mlops-ray runs export` wrote; "
    "unpack what another program packed, and name the folder"
)
_REPACKED: Final = (
    "another program packed this tar; unpack it, `tar -xf {} -C FOLDER`, and name the folder"
)


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """A `RunSource` over an export.

    Attributes:
        path: The folder or tar.
        listing: Its files.
        run_id: None; only the envelope knows it.
    """

    path: Path
    listing: Listing
    run_id: None = None

    @property
    def problems(self) -> list[Problem]:
        """What lies there and is no file of an export."""
        return self.listing.problems

    @property
    def hint(self) -> str:
        """How to check what another program packed."""
        return _REPACKED.format(self.path.name) if self.listing.is_repacked else ""

    def pointer(self) -> bytes | None:
        """The pointer's bytes."""
        piece = self.listing.pieces.get(POINTER_MEMBER)
        return _record(piece) if piece else None

    def signatures(self) -> dict[str, bytes]:
        """Files of the signatures by name."""
        pieces = sorted(self.listing.pieces.items())
        matches = ((SIGNATURE_MEMBER.fullmatch(name), piece) for name, piece in pieces)
        return {match[1]: _record(piece) for match, piece in matches if match}

    def examine(self, name: str) -> Found | None:
        """Digest an object anew."""
        piece = self.piece(name)
        if piece is None:
            return None
        hasher, size_bytes = hashlib.sha256(), 0
        try:
            for data in piece.chunks():
                hasher.update(data)
                size_bytes += len(data)
        except OSError as error:
            return Found(f"unreadable: {error.strerror}", None)
        return Found(f"sha256:{hasher.hexdigest()}", size_bytes)

    def has(self, name: str) -> bool:
        """Whether there is such an object."""
        return self.piece(name) is not None

    def read(self, name: str) -> bytes:
        """The bytes of a document, verified."""
        piece = self.piece(name)
        if piece is None or piece.size_bytes > MAX_DOCUMENT_BYTES:
            raise DigestMismatchError(
                f"object {name} cannot be read from {self.path.name}",
                "nothing" if piece is None else f"{piece.size_bytes} bytes",
                f"at most {MAX_DOCUMENT_BYTES} bytes",
            )
        data = b"".join(piece.chunks())
        if digest(data) != name:
            raise DigestMismatchError(f"object {name} is damaged", digest(data), name)
        return data

    def piece(self, name: str) -> Piece | None:
        """Where the bytes of an object are, unverified."""
        return self.listing.pieces.get(object_member(name))

    def names(self) -> list[str]:
        """Digests of all objects there, sorted."""
        matches = (OBJECT_MEMBER.fullmatch(name) for name in sorted(self.listing.pieces))
        return [f"sha256:{match[2]}" for match in matches if match]


def open_export(path: Path) -> ExportedRun:
    """The export at `path`, listed.

    Raises:
        NotFoundError: There is nothing at `path`.
        ManifestError: It is not an export.
        StoreError: It cannot be read.
    """
    try:
        if path.is_dir():
            listing = list_folder(path)
        elif path.is_file():
            listing = list_tar(path)
        else:
            raise NotFoundError(f"there is no folder or tar {str(path)!r}", hint=_WAY_OUT)
    except OSError as error:
        raise StoreError(f"{path} cannot be read", error.strerror or str(error)) from error
    if not listing.pieces:
        raise ManifestError(f"{path} holds no run", "no file of an export", hint=_WAY_OUT)
    return ExportedRun(path, listing)


def _record(piece: Piece) -> bytes:
    # Longer ones cannot be right, so cutting them cannot make them right.
    cut = Piece(piece.path, min(piece.size_bytes, _MAX_RECORD_BYTES), piece.start, piece.is_in_tar)
    return b"".join(cut.chunks())
