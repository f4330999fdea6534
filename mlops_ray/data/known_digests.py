"""Digests of input files that were known before a run, in the form of ``sha256sum``.

``cd data && sha256sum *.parquet > SHA256SUMS`` makes such a list.

Source: GNU coreutils, "sha2 utilities" (a line is 64 hex digits, a space, a space or an asterisk,
then the name).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mlops_ray.data.source import InputFile

__all__ = ["check_known", "read_digests"]

_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")


def read_digests(path: Path) -> dict[str, str]:
    """Name of a file inside the source's folder -> its digest.

    Raises:
        SourceError: The list cannot be read, or a line of it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or type(error).__name__
        raise SourceError("cannot read the list of digests", got, where=_where(path)) from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            wanted = "64 hex digits, two spaces, a name, as sha256sum writes"
            where = Where(path.name, number)
            raise SourceError("not a line of digests", wanted=wanted, where=where)
        found[match[2]] = f"sha256:{match[1]}"
    return found


def check_known(files: Iterable[InputFile], known: dict[str, str], path: Path) -> None:
    """Hold each file against the digest that is known of it.

    Raises:
        SourceError: A file has another digest, or none is known of it.
    """
    for file in files:
        if file.name not in known:
            hint = "add it with sha256sum"
            raise SourceError("no digest is known of the file", file.name, "", hint, _where(path))
        if known[file.name] != file.sha256:
            raise SourceError(
                "the file is not the one whose digest is known",
                file.sha256,
                known[file.name],
                f"restore it, or correct its line in {path.name}",
                Where(file=file.name),
            )


def _where(path: Path) -> Where:
    return Where(path.name, key="data.source.digests")
