"""A code bundle as a folder that Python and Ray can import from.

It lies in the store under the digest of its tree, appears whole or not at all, and is read again
and compared with its name before each use: whoever edits a file there gets it built anew.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import StoreError
from mlops_ray.runtime.code import ENGINE, CodeBundle, code_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["build_code_bundle", "extracted", "import_paths", "verified_bundle"]

_EPOCH_S: Final = 315_532_800  # 1980-01-01, the first time a zip file can hold.
_CACHE: Final = "__pycache__"
_LOCK: Final = ".lock"
_NAME: Final = re.compile(r"tree-([0-9a-f]{64})")


def extracted(bundle: CodeBundle, store_root: Path) -> Path:
    """The folder ``code/tree-<64 hex>`` of a store with exactly the files of a bundle.

    Raises:
        StoreError: It cannot be written, or a file's name leaves the folder.
    """
    target = store_root / "code" / f"tree-{bundle.digest.removeprefix('sha256:')}"
    try:
        with suppress(FileNotFoundError):
            os.utime(target)  # What collects garbage leaves alone what was used of late.
        if verified_bundle(target) is None:
            _build(target, bundle)
    except OSError as error:
        raise StoreError(
            f"the code of this run cannot be written below {store_root}",
            error.strerror or str(error),
            hint="make the folder writable, or name another store with --store or MLOPS_RAY_STORE",
        ) from error
    return target


def verified_bundle(folder: Path) -> CodeBundle | None:
    """The bundle in a folder named by its digest; None where it is absent, changed or added to."""
    named = _NAME.fullmatch(folder.name)
    if named is None or not folder.is_dir():
        return None
    bundle = CodeBundle(dict(_content(folder)))
    return bundle if bundle.digest == f"sha256:{named[1]}" else None


def import_paths(folder: Path) -> list[str]:
    """Entries for ``PYTHONPATH``, first to last."""
    places = [folder, folder / "src"]
    return [str(place) for place in places if place.is_dir()]


def build_code_bundle(out_dir: Path, package: Path | None = None) -> Path:
    """Copy a package, by default this one, to ``out_dir/mlops_ray``, with fixed times and modes.

    Returns:
        The folder to name in Ray's ``py_modules``.
    """
    files = code_files(package) if package else code_files()
    target = out_dir / ENGINE
    if not target.is_dir() or dict(_content(target, f"{ENGINE}/")) != files:
        _replace(target, {path.removeprefix(f"{ENGINE}/"): data for path, data in files.items()})
    return target


def _content(folder: Path, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """All files by path, sorted; what Python has compiled from them is not one of them."""
    relatives = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    for relative in sorted(relatives, key=Path.as_posix):
        if _CACHE not in relative.parts:
            yield prefix + relative.as_posix(), (folder / relative).read_bytes()


def _build(target: Path, bundle: CodeBundle) -> None:
    with _alone_in(target.parent):
        # Another process may have been faster, and works in what it wrote.
        if verified_bundle(target) is None:
            _replace(target, bundle.files)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("wb") as lock:  # Dies with its process, and is never removed.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(target: Path, files: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=target.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        for path, data in files.items():
            _write(fresh / _checked(path), data)
        if target.exists():
            target.rename(Path(scratch) / "stale")
        fresh.rename(target)


def _checked(path: str) -> PurePosixPath:
    checked = PurePosixPath(path)
    if checked.is_absolute() or ".." in checked.parts or "\\" in path or not path:
        raise StoreError(
            "a file of the code leaves its folder", repr(path), "a path below the project root"
        )
    return checked


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o644)
    os.utime(path, (_EPOCH_S, _EPOCH_S))
