"""Bytes on their way to a server, which may have to be sent more than once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PIECE_BYTES", "Content"]

PIECE_BYTES: Final = 8 << 20


class Content:
    """Bytes to be sent, as often as it takes, and what tells whether they arrived.

    Args:
        source: The bytes, or a file that does not change.

    Attributes:
        size_bytes: Their number.
        md5: In hex, to compare with what a server says it took.
        sha256: In hex, to compare with what is read back.
    """

    def __init__(self, source: bytes | Path) -> None:
        self._source = source
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self.size_bytes = 0
        for piece in self.pieces():
            md5.update(piece)
            sha256.update(piece)
            self.size_bytes += len(piece)
        self.md5, self.sha256 = md5.hexdigest(), sha256.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """The bytes from the beginning."""
        if isinstance(self._source, bytes):
            yield self._source
            return
        with self._source.open("rb") as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
