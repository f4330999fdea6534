"""What lies in a folder or fits a glob, on this machine or in a bucket."""

from __future__ import annotations

import glob
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from mlops_ray.errors import ConfigError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.data.place import Place

__all__ = ["Listed", "is_url", "list_place"]

_WILDCARDS: Final = frozenset("*?[")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SOURCE_OPTIONS: Final = {"region", "endpoint_override"}


class Listed(NamedTuple):
    """A file that was found.

    Attributes:
        name: POSIX path relative to the source's folder.
        place: Where its bytes are.
        size_bytes: Their number.
        is_named: Whether the user named it by its path or by a glob, not by a folder.
    """

    name: str
    place: Place
    size_bytes: int
    is_named: bool


def is_url(source: str) -> bool:
    """Whether a source is a URL rather than a path."""
    return _URL.match(source) is not None


def list_place(given: str, root: Path) -> list[Listed]:
    """The files of a path, a folder, a glob or an ``s3://`` URL of one of these.

    In a folder, names that begin with ``.`` or ``_`` are passed over.

    Args:
        given: The path or URL; relative paths start at `root`.
        root: The project's root folder.

    Raises:
        SourceError: Nothing is there.
        ConfigError: A URL of another scheme, or one that holds credentials.
    """
    if is_url(given):
        return _in_bucket(given)
    path = root / Path(given).expanduser()
    if path.is_file():
        return [_listed(path, path.parent, is_named=True)]
    if path.is_dir():
        found = [_listed(file, path) for file in path.rglob("*") if file.is_file()]
        return [file for file in found if not _is_hidden(file.name)]
    if _WILDCARDS & set(given):
        return _in_glob(path, given)
    hint = f"relative paths start at {root}"
    raise SourceError("no such file or folder", repr(given), hint=hint, where=Where(given))


def _listed(path: Path, folder: Path, *, is_named: bool = False) -> Listed:
    name = PurePosixPath(path.relative_to(folder)).as_posix()
    return Listed(name, path.resolve(), path.stat().st_size, is_named)


def _is_hidden(name: str) -> bool:
    return any(part[0] in "._" for part in name.split("/"))


def _in_glob(pattern: Path, given: str) -> list[Listed]:
    fixed = Path(*_until_wildcard(pattern.parent.parts))
    hits = [Path(hit) for hit in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 - `**`
    found = [_listed(path, fixed, is_named=True) for path in hits if path.is_file()]
    if not found:
        hint = f"looked below {fixed}"
        raise SourceError("no file matches the glob", repr(given), hint=hint, where=Where(given))
    return found


def _until_wildcard(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        if _WILDCARDS & set(part):
            return
        yield part


def _in_bucket(given: str) -> list[Listed]:
    from mlops_ray.storage.location import split_s3_url  # noqa: PLC0415 - only for URLs

    scheme = given.partition(":")[0]  # The rest may hold a password.
    if scheme != "s3":
        hint = "give a local file, folder or glob, s3://bucket/path, or {sql: ..., url_env: ...}"
        raise ConfigError("a source cannot be read there", f"scheme {scheme!r}", hint=hint)
    url = split_s3_url(given, "source")
    unknown = sorted(set(url.options) - _SOURCE_OPTIONS)
    if unknown:
        wanted = "region and endpoint_override"
        raise ConfigError("the source's URL has an option that means nothing", unknown[0], wanted)
    fixed = "/".join(_until_wildcard(url.path.split("/")))
    is_glob = fixed != url.path
    found = _keys(url.bucket, fixed.rstrip("/"), url.options)
    if is_glob:
        fits = re.compile(_expression(url.path[len(fixed) :].lstrip("/")))
        found = [file._replace(is_named=True) for file in found if fits.fullmatch(file.name)]
    if not found:
        what = "no key matches the glob" if is_glob else "no such key or folder"
        raise SourceError(what, f"s3://{url.bucket}/{url.path}", hint="check bucket and path")
    return [file for file in found if file.is_named or not _is_hidden(file.name)]


def _keys(bucket: str, folder: str, options: dict[str, str]) -> list[Listed]:
    from mlops_ray.storage.retry import persistently  # noqa: PLC0415 - only for URLs
    from mlops_ray.storage.s3_client import find_file, list_files  # noqa: PLC0415
    from mlops_ray.storage.s3_file import S3File  # noqa: PLC0415

    root = S3File(bucket, folder, options.get("region", ""), options.get("endpoint_override", ""))
    client, place = root.client, f"s3://{bucket}"
    base = root.path.rstrip("/")
    if folder:
        head = persistently(lambda: find_file(client, base), f"look for {root}", place)
        if head is not None:
            return [Listed(folder.rpartition("/")[2], root, head.size_bytes, is_named=True)]
    listed = persistently(lambda: list_files(client, base), f"list {root}", place)
    start = len(bucket) + 1
    return [
        Listed(
            path[len(base) + 1 :],
            S3File(bucket, path[start:], root.region, root.endpoint_override),
            head.size_bytes,
            is_named=False,
        )
        for path, head in listed
    ]


def _expression(pattern: str) -> str:
    """A glob as a regular expression: ``*`` and ``[..]`` stay in a folder, ``**`` does not."""
    parts = pattern.split("/")
    written = [
        (".*" if at == len(parts) - 1 else "(?:[^/]+/)*")
        if part == "**"
        else _part(part) + "/" * (at < len(parts) - 1)
        for at, part in enumerate(parts)
    ]
    return "".join(written)


def _part(part: str) -> str:
    pieces = re.split(r"(\*|\[[^]]*\])", part)
    wild = {"*": "[^/]*"}
    return "".join(
        wild.get(piece, piece.replace("[!", "[^") if piece.startswith("[") else re.escape(piece))
        for piece in pieces
    )
