"""Lists the files of an exported run, a folder or a tar, and names whatever else lies there.

Nothing is extracted. Names are matched against the few forms that an export has, so no name can
lead anywhere; links in a folder are named and never followed; a tar is read header by header.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.run_source import POINTER
from mlops_ray.manifest.tar_layout import Flaw, read_members
from mlops_ray.manifest.verification import Problem
from mlops_ray.storage import hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "OBJECT_MEMBER",
    "POINTER_MEMBER",
    "SIGNATURE_FOLDER",
    "SIGNATURE_MEMBER",
    "Listing",
    "Piece",
    "list_folder",
    "list_tar",
    "object_member",
]

POINTER_MEMBER: Final = f"run/{POINTER}"
SIGNATURE_FOLDER: Final = "run/signatures/"
SIGNATURE_MEMBER: Final = re.compile(r"run/signatures/([0-9a-f]{12}\.(?:dsse\.json|pub\.pem))")
OBJECT_MEMBER: Final = re.compile(r"objects/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_PIECE_BYTES: Final = 1 << 20


def object_member(name: str) -> str:
    """Where an export keeps the object `name`.

    Example:
        >>> object_member("sha256:" + "ab" * 32)[:15]
        'objects/ab/abab'
    """
    hexed = hex_of(name)
    return f"objects/{hexed[:2]}/{hexed}"


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one file: a file of a folder, or a part of a tar.

    Attributes:
        path: The file, or the tar.
        size_bytes: How many bytes.
        start: Where they start.
        is_in_tar: Whether `path` is the tar, which the user named and which may be a link.
    """

    path: Path
    size_bytes: int
    start: int = 0
    is_in_tar: bool = False

    def chunks(self) -> Iterator[bytes]:
        """The bytes in pieces; fewer than `size_bytes` where the file was cut meanwhile."""
        left = self.size_bytes
        with _opened(self.path, may_be_link=self.is_in_tar) as stream:
            stream.seek(self.start)
            while left and (data := stream.read(min(left, _PIECE_BYTES))):
                left -= len(data)
                yield data


@dataclass(slots=True)
class Listing:
    """The files of an export.

    Attributes:
        pieces: Those with a name that an export can have, by that name.
        problems: Everything else.
        is_repacked: Whether nothing but its form keeps a tar from being an export.
    """

    pieces: dict[str, Piece] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    is_repacked: bool = False

    def add(self, name: str, piece: Piece) -> None:
        """Take a file in, or name it as a problem."""
        if name in self.pieces:
            self.refuse(name, "one file of this name", "two")
        elif name == POINTER_MEMBER or any(
            form.fullmatch(name) for form in (OBJECT_MEMBER, SIGNATURE_MEMBER)
        ):
            self.pieces[name] = piece
        else:
            self.refuse(name, "a file of an exported run", "a name that no export has")

    def refuse(self, name: str, expected: str, got: str) -> None:
        """Name something that does not belong there."""
        self.problems.append(Problem(_shown(name), "file", expected, got))


def list_folder(folder: Path) -> Listing:
    """The files of a folder.

    Raises:
        ManifestError: It is a store.
    """
    if (folder / "runs").is_dir() and not (folder / "run").exists():
        raise ManifestError(
            f"{folder} is a store", "many runs", "one run", "name a run, and the store by --store"
        )
    listing = Listing()
    for found in _below(folder):
        name, facts = found.relative_to(folder).as_posix(), found.lstat()
        if stat.S_ISREG(facts.st_mode):
            listing.add(name, Piece(found, facts.st_size))
        else:
            kind = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "a device or a socket"
            listing.refuse(name, "a plain file", kind)
    return listing


def list_tar(tar: Path) -> Listing:
    """The members of a tar; whatever `runs export` would have written otherwise is a problem."""
    listing, flaws = Listing(), []
    with _opened(tar, may_be_link=True) as stream:
        for item in read_members(stream, os.fstat(stream.fileno()).st_size):
            if isinstance(item, Flaw):
                flaws.append(item)
                listing.refuse(item.name, "as `runs export` writes it", item.got)
            else:
                listing.add(item.name, Piece(tar, item.size_bytes, item.offset, is_in_tar=True))
    listing.is_repacked = bool(flaws) and all(flaw.is_form for flaw in flaws)
    return listing


def _below(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _below(entry)
        else:
            yield entry


def _opened(path: Path, *, may_be_link: bool) -> IO[bytes]:
    follow = 0 if may_be_link else os.O_NOFOLLOW
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | follow), "rb")


def _shown(name: str) -> str:
    """A name that an attacker may have chosen, fit for a terminal."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)[:200] or "(no name)"
