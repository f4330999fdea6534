"""SHA-256 digests, written ``sha256:<64 hex>`` everywhere and never shortened in a record."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ManifestError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["digest", "digest_file", "hex_of"]

_PREFIX: Final = "sha256:"
_FORM: Final = re.compile(r"sha256:[0-9a-f]{64}")


def digest(data: bytes | memoryview) -> str:
    """Digest of bytes in memory.

    Example:
        >>> digest(b"")[:15]
        'sha256:e3b0c442'
    """
    return _PREFIX + hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Digest of a file's raw bytes, read in pieces; no newline is normalised."""
    with path.open("rb") as stream:
        return _PREFIX + hashlib.file_digest(stream, "sha256").hexdigest()


def hex_of(value: str) -> str:
    """The 64 hex digits of a digest.

    Raises:
        ManifestError: `value` is not of the form ``sha256:<64 hex>``.
    """
    if not _FORM.fullmatch(value):
        raise ManifestError("not a digest", repr(value[:80]), "sha256:<64 hex digits>")
    return value[len(_PREFIX) :]
