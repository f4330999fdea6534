"""The two forms of an export as places to write to: a tar and a folder, whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, Protocol

from mlops_ray.errors import ConfigError, ConflictError, StoreError
from mlops_ray.manifest.tar_layout import end_of, header_of, padding_of
from mlops_ray.storage import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["ExportTarget", "new_export_target"]

_TEMPORARY_PREFIX: Final = ".tmp-"


class ExportTarget(Protocol):
    """Takes the files of an export in the order of their names."""

    def add(self, name: str, size_bytes: int, data: Iterable[bytes]) -> None:
        """Write a file."""


@contextmanager
def new_export_target(out: Path) -> Iterator[ExportTarget]:
    """A tar where the name ends in ``.tar``, else a folder; at `out` once the block has ended.

    Raises:
        ConflictError: `out` exists.
        ConfigError: `out` is named like an archive of another kind.
        StoreError: The disk refuses.
    """
    _refuse_existing(out)
    if out.name.endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".zip")):
        raise ConfigError(
            "an export is a plain tar or a folder",
            out.name,
            "a name that ends in .tar, or a folder",
        )
    if out.suffix == ".tar":
        with atomic_writer(out) as stream:
            tar = _Tar(stream)
            yield tar
            tar.end()
            _refuse_existing(out)
        return
    try:
        with _fresh_folder(out) as folder:
            yield _Folder(folder)
            _refuse_existing(out)
    except OSError as error:
        raise StoreError(f"cannot write {out}", error.strerror or str(error)) from error


class _Tar:
    """A tar whose bytes depend on the files alone."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._n_bytes = 0

    def add(self, name: str, size_bytes: int, data: Iterable[bytes]) -> None:
        """Write a member."""
        header, padding = header_of(name, size_bytes), padding_of(size_bytes)
        self._stream.write(header)
        for piece in data:
            self._stream.write(piece)
        self._stream.write(padding)
        self._n_bytes += len(header) + size_bytes + len(padding)

    def end(self) -> None:
        """Write the end of the archive."""
        self._stream.write(end_of(self._n_bytes))


class _Folder:
    """A folder of plain, read-only files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, _size_bytes: int, data: Iterable[bytes]) -> None:
        """Write a file."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            for piece in data:
                stream.write(piece)
            stream.flush()
            os.fchmod(stream.fileno(), 0o444)
            os.fsync(stream.fileno())


@contextmanager
def _fresh_folder(out: Path) -> Iterator[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    folder.mkdir()
    try:
        yield folder
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _fsync_folders(out)


def _fsync_folders(out: Path) -> None:
    for folder in (out.parent, out, *(path for path in out.rglob("*") if path.is_dir())):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse_existing(out: Path) -> None:
    if os.path.lexists(out):
        raise ConflictError(f"{out} exists", hint="name another, or remove it first")
