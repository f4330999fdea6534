"""Trees of files: the documents that name a bundle or the code, and the archive of the code."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import from_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TreeFile", "archive_differences", "parse_tree"]

_BAD_ZIP: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError)
_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a bundle or of the code.

    Attributes:
        path: POSIX path.
        size_bytes: Its size.
        sha256: Its digest.
    """

    path: str
    size_bytes: int
    sha256: str


def parse_tree(data: bytes) -> list[TreeFile]:
    """The files that a tree names.

    Raises:
        ManifestError: It is no tree of files.
    """
    content = from_canonical(data)
    try:
        files = [_file(entry) for entry in content["files"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError("the tree of files is malformed", repr(error)) from error
    if len({file.path for file in files}) != len(files):
        raise ManifestError("the tree of files names one twice")
    return files


def archive_differences(files: list[TreeFile], data: bytes) -> list[tuple[str, str, str]]:
    """Where a zip archive does not hold exactly the files of a tree.

    Returns:
        Path, what the tree says, and what the archive has.
    """
    try:
        return list(_differences(files, data))
    except _BAD_ZIP as error:
        return [("archive", "readable", str(error))]


def _differences(files: list[TreeFile], data: bytes) -> Iterator[tuple[str, str, str]]:
    wanted = {file.path: file for file in files}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        for member in members:
            file = wanted.pop(member.filename, None)
            if file is None:
                yield member.filename, "a file of the code tree", "not in the tree, or twice"
                continue
            got = _digest_of_member(archive, member, file.size_bytes)
            if got != file.sha256:
                yield file.path, file.sha256, got
    for path, file in wanted.items():
        yield path, file.sha256, "missing"


def _digest_of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size_bytes: int) -> str:
    """Digest of a member, reading no more than the tree says there is."""
    if member.file_size != size_bytes:
        return f"{member.file_size} of {size_bytes} bytes"
    hasher = hashlib.sha256()
    with archive.open(member) as stream:
        while data := stream.read(_PIECE_BYTES):
            hasher.update(data)
    return f"sha256:{hasher.hexdigest()}"


def _file(entry: dict[str, Any]) -> TreeFile:
    return TreeFile(str(entry["path"]), int(entry["size"]), str(entry["sha256"]))
