"""Tar archives of one form: plain files with fixed times, owners and modes, and nothing else.

The reader rebuilds each header from name and size and compares all 512 bytes, so a link, a device,
a sparse file, an owner or a flipped bit is told without a list of what may be wrong. It holds one
header at a time and extracts nothing.

Source: "Basic Tar Format", GNU tar manual; base-256 sizes above 8 GiB as in its section on the
"GNU format". Header bytes come from `tarfile.TarInfo.tobuf`.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Flaw", "Member", "end_of", "header_of", "padding_of", "read_members"]

_BLOCK: Final = tarfile.BLOCKSIZE
_RECORD: Final = tarfile.RECORDSIZE
_NAME: Final = slice(0, 100)
_SIZE: Final = slice(124, 136)
_TYPE: Final = slice(156, 157)
_KINDS: Final = {b"1": "a hard link", b"2": "a symbolic link", b"5": "a folder"}
# Folders, and the times and owners that pax writes apart.
_FORMS: Final = frozenset({tarfile.DIRTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE})
_KINDS_OF_DEVICE: Final = dict.fromkeys((b"3", b"4", b"6"), "a device")


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file in an archive.

    Attributes:
        name: As the archive has it, unchecked.
        offset: Where its bytes start.
        size_bytes: How many there are.
    """

    name: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """A part of an archive that `header_of`, `padding_of` and `end_of` would not have written.

    Attributes:
        name: Where it stands.
        got: What stands there.
        is_form: Whether other programs write plain files so, which may be right once unpacked.
    """

    name: str
    got: str
    is_form: bool = False


def header_of(name: str, size_bytes: int) -> bytes:
    """The one header that a file of this name and size can have."""
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    info.mode = 0o444
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "surrogateescape")


def padding_of(size_bytes: int) -> bytes:
    """Zeros up to the next block."""
    return bytes(-size_bytes % _BLOCK)


def end_of(size_bytes: int) -> bytes:
    """Zeros that end an archive whose members take `size_bytes`."""
    return bytes(2 * _BLOCK + -(size_bytes + 2 * _BLOCK) % _RECORD)


def read_members(stream: IO[bytes], total_bytes: int) -> Iterator[Member | Flaw]:
    """Members in the order of the archive, and flaws where they stand.

    Args:
        stream: The archive, seekable.
        total_bytes: Its size.
    """
    at = 0
    while at < total_bytes:
        stream.seek(at)
        header = stream.read(_BLOCK)
        if not any(header):
            yield from _flaws_of_end(stream, at, total_bytes)
            return
        name, size_bytes = _text(header[_NAME]), _number(header[_SIZE])
        start = at + _BLOCK
        if len(header) < _BLOCK or size_bytes is None:
            yield Flaw(name, f"no tar header at byte {at}")
            return
        if size_bytes > total_bytes - start:
            yield Flaw(name, f"{total_bytes - start} of {size_bytes} bytes")
            return
        at = start + size_bytes + len(padding_of(size_bytes))
        yield from _member(stream, header, Member(name, start, size_bytes))
    yield Flaw("end of archive", "missing")


def _member(stream: IO[bytes], header: bytes, member: Member) -> Iterator[Member | Flaw]:
    kind = header[_TYPE]
    # A name of 100 bytes and more would need a second header, which no file of ours has.
    is_plain = kind in {b"0", b"\0"} and len(member.name) < 100
    if not is_plain or header != header_of(member.name, member.size_bytes):
        got = {**_KINDS, **_KINDS_OF_DEVICE}.get(kind, "another header")
        yield Flaw(member.name, got, is_form=is_plain or kind in _FORMS)
    if is_plain:
        stream.seek(member.offset + member.size_bytes)
        padding = padding_of(member.size_bytes)
        if stream.read(len(padding)) != padding:
            yield Flaw(member.name, "padding that is not zero")
        yield member


def _flaws_of_end(stream: IO[bytes], at: int, total_bytes: int) -> Iterator[Flaw]:
    wanted = len(end_of(at))
    if total_bytes - at != wanted:
        got = f"{total_bytes - at} bytes instead of {wanted}"
        yield Flaw("end of archive", got, is_form=True)
        return
    stream.seek(at)
    if any(stream.read(wanted)):
        yield Flaw("end of archive", "bytes that are not zero")


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "surrogateescape")


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b"\0 ")
    try:
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None
