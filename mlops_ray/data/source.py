"""Finding the input files that a pipeline file names: a file, a folder or a glob."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlops_ray.errors import ConfigError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.config.model import SourceConfig

__all__ = ["FileFormat", "FoundFile", "InputFile", "find_files"]

FileFormat: TypeAlias = Literal["parquet", "csv"]

_SUFFIXES: Final[dict[str, FileFormat]] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}
_WILDCARDS: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a source.

    Attributes:
        name: POSIX path relative to the source's folder; the file's identity beside its bytes.
        path: Where it can be read now; an object of the store has no suffix.
        format: How it is to be read.
        size_bytes: Size on disk.
    """

    name: str
    path: Path
    format: FileFormat
    size_bytes: int


@dataclass(frozen=True, slots=True)
class InputFile(FoundFile):
    """A file of a source whose bytes are pinned.

    Attributes:
        sha256: Digest of the bytes, ``sha256:<64 hex>``.
    """

    sha256: str


def find_files(source: SourceConfig | str, root: Path) -> list[FoundFile]:
    """The files of a source, sorted by name.

    In a folder, names that begin with ``.`` or ``_`` and files of other kinds are passed over.

    Args:
        source: A path or its declaration; relative paths start at `root`.
        root: The project's root folder.

    Raises:
        SourceError: Nothing is there, or formats are mixed.
        ConfigError: The source is a URL.
    """
    given = source if isinstance(source, str) else source.path
    wanted = "auto" if isinstance(source, str) else source.format
    if "://" in given or given.startswith("sklearn:"):
        scheme = given.partition(":")[0]  # The rest may hold a password.
        hint = "give a local file, folder or glob of Parquet or CSV files"
        raise ConfigError("source is no local path", f"scheme {scheme!r}", hint=hint)
    folder, paths = _candidates(given, root)
    found = [_found(path, folder, wanted, given) for path in paths]
    formats = sorted({file.format for file in found})
    if len(formats) > 1:
        hint = "name one of them by a glob such as 'data/*.parquet', or set 'format'"
        raise SourceError("formats are mixed", " and ".join(formats), "one", hint, Where(given))
    return sorted(found, key=lambda file: file.name)


def _candidates(given: str, root: Path) -> tuple[Path, list[Path]]:
    path = root / Path(given).expanduser()
    if path.is_file():
        return path.parent, [path]
    if path.is_dir():
        return path, _in_folder(path, given)
    if _WILDCARDS & set(given):
        return _in_glob(path, given)
    hint = f"relative paths start at {root}"
    raise SourceError("no such file or folder", repr(given), hint=hint, where=Where(given))


def _in_folder(folder: Path, given: str) -> list[Path]:
    paths = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and path.is_file()
        and not any(part[0] in "._" for part in path.relative_to(folder).parts)
    ]
    if not paths:
        others = sum(1 for path in folder.rglob("*") if path.is_file())
        raise SourceError(
            "the folder holds no data file",
            f"{others} other files" if others else "an empty folder",
            "files that end in .parquet, .pq or .csv",
            "name the files by a glob and set 'format' if they end otherwise",
            Where(given),
        )
    _refuse_hive_folders((path.relative_to(folder) for path in paths), given)
    return paths


def _in_glob(pattern: Path, given: str) -> tuple[Path, list[Path]]:
    fixed = Path(*_until_wildcard(pattern))
    paths = [Path(hit) for hit in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 - `**`
    paths = [path for path in paths if path.is_file()]
    if not paths:
        hint = f"looked below {fixed}"
        raise SourceError("no file matches the glob", repr(given), hint=hint, where=Where(given))
    _refuse_hive_folders((path.relative_to(fixed) for path in paths), given)
    return fixed, paths


def _until_wildcard(pattern: Path) -> Iterable[str]:
    for part in pattern.parent.parts:
        if _WILDCARDS & set(part):
            return
        yield part


def _refuse_hive_folders(names: Iterable[Path], given: str) -> None:
    for name in names:
        partition = next((part for part in name.parts[:-1] if "=" in part), None)
        if partition is not None:
            raise SourceError(
                "a partition folder keeps a column out of the files",
                repr(partition),
                "every column inside the files",
                f"write column {partition.partition('=')[0]!r} into the files",
                Where(given),
            )


def _found(path: Path, folder: Path, wanted: str, given: str) -> FoundFile:
    known = _SUFFIXES.get(path.suffix.lower())
    declared: FileFormat | None = "parquet" if wanted == "parquet" else "csv"
    format_ = known if wanted == "auto" else declared
    if format_ is None:
        hint = "set 'format: parquet' or 'format: csv' beside the path"
        raise SourceError("cannot tell the file's format", path.name, hint=hint, where=Where(given))
    name = PurePosixPath(path.relative_to(folder)).as_posix()
    return FoundFile(name, path.resolve(), format_, path.stat().st_size)
