"""Code as data: files by path, the tree of their digests, and one archive of them.

A bundle's digest is that of its tree document, so that equal files have one digest whatever wrote
them, and the archive's bytes depend on the files alone.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

import rfc8785

from mlops_ray.errors import DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENGINE", "ENGINE_FOLDER", "CodeBundle", "CodeFile", "code_files"]

ENGINE_FOLDER: Final = Path(__file__).parent.parent  # The package of this process.
ENGINE: Final = "mlops_ray"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # The earliest time a zip archive can hold.


class CodeFile(TypedDict):
    """One file of a tree: POSIX path, size in bytes, digest."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class CodeBundle:
    """The code of a run.

    Attributes:
        files: Content by POSIX path, sorted by path; the package's own lie below ``mlops_ray/``.

    Example:
        >>> CodeBundle({"a.py": b"import b"}).tree[0]["size"]
        8
    """

    files: dict[str, bytes]

    @cached_property
    def tree(self) -> list[CodeFile]:
        """Path, size and digest of every file, sorted by path."""
        return [
            {
                "path": path,
                "size": len(data),
                "sha256": f"sha256:{hashlib.sha256(data).hexdigest()}",
            }
            for path, data in sorted(self.files.items())
        ]

    @cached_property
    def document(self) -> bytes:
        """The tree as canonical JSON."""
        tree: Any = self.tree  # JSON, which a typed dict is not to a type checker.
        return rfc8785.dumps({"schema": "mlops-ray/code/v1", "files": tree})

    @cached_property
    def digest(self) -> str:
        """Digest of `document`, which names the bundle."""
        return f"sha256:{hashlib.sha256(self.document).hexdigest()}"

    @property
    def archive(self) -> bytes:
        """The files as one uncompressed zip with fixed times."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for path, data in sorted(self.files.items()):
                member = zipfile.ZipInfo(path, _EPOCH)
                member.create_system = 3  # Unix, whatever wrote it.
                archive.writestr(member, data)
        return buffer.getvalue()

    @classmethod
    def from_archive(cls, data: bytes, expected: str) -> CodeBundle:
        """The bundle that an archive holds.

        Args:
            data: What `archive` gave.
            expected: Digest of the bundle.

        Raises:
            DigestMismatchError: The archive is no zip, or holds other files.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                bundle = cls({name: archive.read(name) for name in sorted(archive.namelist())})
        except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
            raise DigestMismatchError("the code archive is damaged", str(error)) from error
        if bundle.digest != expected:
            raise DigestMismatchError("the code archive holds other code", bundle.digest, expected)
        return bundle


def code_files(package: Path = ENGINE_FOLDER) -> dict[str, bytes]:
    """Content of a package's files by POSIX path, sorted; compiled and hidden files are left out.

    Example:
        >>> next(iter(code_files()))
        'mlops_ray/__init__.py'
    """
    return {f"{ENGINE}/{relative.as_posix()}": data for relative, data in _sources(package)}


def _sources(package: Path) -> Iterator[tuple[Path, bytes]]:
    relatives = (path.relative_to(package) for path in package.rglob("*") if path.is_file())
    for relative in sorted(relatives, key=Path.as_posix):
        if not any(part.startswith((".", "__pycache__")) for part in relative.parts):
            yield relative, (package / relative).read_bytes()
