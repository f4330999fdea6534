"""Pins the inputs of a run: each file by its digest, small ones and snapshots by a copy as well."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from mlops_ray.data.known_digests import check_known, read_digests
from mlops_ray.data.page_checksums import has_page_checksums
from mlops_ray.data.source import FoundFile, InputFile
from mlops_ray.errors import SourceError, Where
from mlops_ray.manifest import InputProtection

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.data.place import Place
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.pipeline.resolve import Resolved
    from mlops_ray.storage import DigestCache, ObjectStore

__all__ = ["Pinned", "digested_inputs", "pin_inputs"]

T = TypeVar("T")
_TRANSFERS: Final = 8  # From a bucket at once.


@dataclass(frozen=True, slots=True)
class Pinned:
    """An input whose bytes are known.

    Attributes:
        file: Where it is read from; a copy in the store where there is one.
        was_known: Whether its digest was known before: declared, or that of a copy in the store.
    """

    file: InputFile
    was_known: bool

    def protection(self) -> InputProtection:
        """What would have shown that the file was damaged before it was read."""
        if self.was_known:
            return InputProtection(name=self.file.name, by="known_digest")
        is_checked = self.file.format == "parquet" and has_page_checksums(self.file.path)
        return InputProtection(
            name=self.file.name, by="page_checksums" if is_checked else "nothing"
        )


def digested_inputs(
    resolved: Resolved, digests: DigestCache, root: Path, num_cpus: int | None = None
) -> list[InputFile]:
    """The input files where they lie, each with its digest; nothing is copied.

    Args:
        resolved: The pipeline file with its files.
        digests: Knows the digests of files that have not changed.
        root: Project root.
        num_cpus: CPUs that may be used; all by default.

    Raises:
        SourceError: A file cannot be read, or is not the one whose digest is declared.
    """
    files = _each(resolved.files, lambda file: _digested(file, digests), num_cpus)
    _check_declared(files, resolved, root)
    return files


def pin_inputs(
    resolved: Resolved,
    objects: ObjectList,
    digests: DigestCache,
    root: Path,
    *,
    copy_all: bool = False,
    num_cpus: int | None = None,
) -> list[Pinned]:
    """The input files; small ones are copied into the store, so that nobody can change them.

    Args:
        resolved: The pipeline file with its files.
        objects: Takes the copies.
        digests: Knows the digests of files that have not changed.
        root: Project root.
        copy_all: Copy large ones, too.
        num_cpus: CPUs that may be used; all by default.

    Raises:
        StoreError: The store cannot be written, or a file changed while it was copied.
        SourceError: A file cannot be read, or is not the one whose digest is declared.
    """
    limit = resolved.loaded.config.store.copy_inputs_below
    is_copied = copy_all or sum(file.size_bytes for file in resolved.files) < limit
    pin = partial(_pinned, objects=objects, digests=digests, is_copied=is_copied)
    pinned = _each(resolved.files, pin, num_cpus)
    is_declared = _check_declared([item.file for item in pinned], resolved, root)
    return [Pinned(item.file, item.was_known or is_declared) for item in pinned]


def _pinned(
    file: FoundFile, objects: ObjectList, digests: DigestCache, *, is_copied: bool
) -> Pinned:
    store = objects.store
    if isinstance(file, InputFile):  # A snapshot, which lies in the store.
        store.hold(file.sha256)
        objects.note("input", file.sha256)
        return Pinned(file, was_known=False)
    found = _digested(file, digests)
    was_known = store.hold(found.sha256) if is_copied else store.has(found.sha256)
    if was_known and _is_whole(store, found.sha256, digests):
        store.hold(found.sha256)
        objects.note("input", found.sha256)
    elif is_copied:
        _copy(found, objects)
    else:
        return Pinned(found, was_known=False)
    return Pinned(_placed(found, store.path(found.sha256), found.sha256), was_known)


def _digested(file: FoundFile, digests: DigestCache) -> InputFile:
    if isinstance(file, InputFile):
        return file
    try:
        place = file.path if isinstance(file.path, Path) else file.path.pinned()
        return _placed(file, place, digests.digest_file(place))
    except FileNotFoundError as error:
        got = error.strerror or type(error).__name__
        raise SourceError("cannot read the input file", got, where=Where(file=file.name)) from error


def _placed(file: FoundFile, place: Place, sha256: str) -> InputFile:
    return InputFile(file.name, place, file.format, file.size_bytes, sha256)


def _is_whole(store: ObjectStore, name: str, digests: DigestCache) -> bool:
    """By the remembered digest, which an edit of the object makes void."""
    path = store.path(name)
    return digests.digest_file(path) == name if path.is_file() else store.is_whole(name)


def _copy(file: InputFile, objects: ObjectList) -> None:
    if isinstance(file.path, Path):
        name = objects.put_file("input", file.path)
    else:
        pieces = file.path.pieces()
        name = objects.put_written("input", lambda sink: sink.writelines(pieces))
    if name != file.sha256:
        raise SourceError(
            "the input file changed while it was copied",
            name,
            file.sha256,
            "run again once nobody writes to it",
            Where(file=file.name),
        )


def _check_declared(files: list[InputFile], resolved: Resolved, root: Path) -> bool:
    """Hold files against the declared digests; whether there are any."""
    source = resolved.loaded.config.data.source
    if source is None or source.digests is None or not resolved.has_files:
        return False
    path = root / Path(source.digests).expanduser()
    check_known(files, read_digests(path), path)
    return True


def _each(files: list[FoundFile], fn: Callable[[FoundFile], T], num_cpus: int | None) -> list[T]:
    """Of every file in order; digests on the CPUs there are, several transfers at once."""
    is_local = not files or isinstance(files[0].path, Path)
    with ThreadPoolExecutor((num_cpus or os.cpu_count() or 1) if is_local else _TRANSFERS) as pool:
        return list(pool.map(fn, files))
