"""The code of this package as data: its tree of digests, and a copy that a cluster can import."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CodeFile", "build_code_bundle", "code_files", "code_tree"]

_PACKAGE: Final = Path(__file__).parent.parent
_EPOCH_S: Final = 315_532_800  # 1980-01-01, the first time a zip file can hold.


class CodeFile(TypedDict):
    """One file of a tree: POSIX path with the package's name, size in bytes, digest."""

    path: str
    size: int
    sha256: str


def code_files(package: Path = _PACKAGE) -> dict[str, bytes]:
    """Content of a package's files by POSIX path, sorted; compiled and hidden files are left out.

    Example:
        >>> next(iter(code_files()))
        'mlops_ray/__init__.py'
    """
    return {f"{package.name}/{relative.as_posix()}": data for relative, data in _sources(package)}


def code_tree(package: Path = _PACKAGE) -> list[CodeFile]:
    """Files of a package sorted by path; compiled and hidden files are not part of it.

    Example:
        >>> code_tree()[0]["path"]
        'mlops_ray/__init__.py'
    """
    return [
        {
            "path": path,
            "size": len(data),
            "sha256": f"sha256:{hashlib.sha256(data).hexdigest()}",
        }
        for path, data in code_files(package).items()
    ]


def build_code_bundle(out_dir: Path, package: Path = _PACKAGE) -> Path:
    """Copy the files of `code_tree` to ``out_dir/<package name>``, with fixed times and modes.

    The copy appears whole or not at all; one that is there already and equal is kept.

    Returns:
        The folder to name in Ray's ``py_modules``.
    """
    target = out_dir / package.name
    if target.is_dir() and code_tree(target) == code_tree(package):
        return target
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=out_dir) as scratch:
        fresh = Path(scratch) / package.name
        for relative, data in _sources(package):
            _write(fresh / relative, data)
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    return target


def _sources(package: Path) -> Iterator[tuple[Path, bytes]]:
    relatives = (path.relative_to(package) for path in package.rglob("*") if path.is_file())
    for relative in sorted(relatives, key=Path.as_posix):
        if not any(part.startswith((".", "__pycache__")) for part in relative.parts):
            yield relative, (package / relative).read_bytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o644)
    os.utime(path, (_EPOCH_S, _EPOCH_S))
