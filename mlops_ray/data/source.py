"""The input files of a source: a file, a folder or a glob, here or in S3, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlops_ray.data.listing import list_place
from mlops_ray.errors import SourceError, Where

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.config.model import SourceConfig
    from mlops_ray.data.listing import Listed
    from mlops_ray.data.place import Place

__all__ = ["FileFormat", "FoundFile", "InputFile", "find_files"]

FileFormat: TypeAlias = Literal["parquet", "csv", "jsonl"]

_SUFFIXES: Final[dict[str, FileFormat]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a source.

    Attributes:
        name: POSIX path relative to the source's folder; the file's identity beside its bytes, and
            what a column is told from that only the folders' names hold.
        path: Where it can be read now; an object of the store has no suffix.
        format: How it is to be read.
        size_bytes: Its size.
    """

    name: str
    path: Place
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
        source: A path or URL, or its declaration; relative paths start at `root`.
        root: The project's root folder.

    Raises:
        SourceError: Nothing is there, or formats are mixed.
        ConfigError: The source is a URL of another scheme than ``s3`` or holds credentials.
    """
    given = source if isinstance(source, str) else source.path or ""
    wanted = "auto" if isinstance(source, str) else source.format
    listed = list_place(given, root)
    shown = given.partition("?")[0] if "://" in given else given
    usable = [file for file in listed if file.is_named or _known_format(file.name)]
    if not usable:
        raise _no_data_file(len(listed), shown)
    found = [_found(file, wanted, shown) for file in usable]
    formats = sorted({file.format for file in found})
    if len(formats) > 1:
        hint = "name one of them by a glob such as 'data/*.parquet', or set 'format'"
        raise SourceError("formats are mixed", " and ".join(formats), "one", hint, Where(shown))
    return sorted(found, key=lambda file: file.name)


def _known_format(name: str) -> FileFormat | None:
    suffixes = PurePosixPath(name.lower()).suffixes
    return _SUFFIXES.get("".join(suffixes[-2:])) or _SUFFIXES.get("".join(suffixes[-1:]))


def _found(file: Listed, wanted: str, given: str) -> FoundFile:
    declared = {"parquet": "parquet", "csv": "csv", "jsonl": "jsonl"}
    format_ = _known_format(file.name) if wanted == "auto" else declared[wanted]
    if format_ is None:
        name = PurePosixPath(file.name).name
        hint = "set 'format: parquet', 'format: csv' or 'format: jsonl' beside the path"
        raise SourceError("cannot tell the file's format", name, hint=hint, where=Where(given))
    return FoundFile(file.name, file.place, format_, file.size_bytes)  # type: ignore[arg-type]


def _no_data_file(n_others: int, given: str) -> SourceError:
    return SourceError(
        "the folder holds no data file",
        f"{n_others} other files" if n_others else "an empty folder",
        "files that end in .parquet, .pq, .csv, .jsonl or .ndjson",
        "name the files by a glob and set 'format' if they end otherwise",
        Where(given),
    )
