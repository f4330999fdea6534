"""Check of a store's objects by themselves: names, places, and on request every byte."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.storage.atomic import TEMPORARY_PREFIX
from mlops_ray.storage.digest import digest_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_ray.storage.object_store import ObjectStore

__all__ = ["ObjectsChecked", "StoreProblem", "check_store"]

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_EMPTY: Final = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class StoreProblem:
    """Something in a store that is not what it should be.

    Attributes:
        object: Digest of an object, key of a record, or path of a file, from the store's root.
        expected: What should be there.
        got: What was found.
    """

    object: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class ObjectsChecked:
    """Outcome of a check of all objects.

    Attributes:
        sizes: Size in bytes by digest.
        problems: What is wrong, in the order of the paths.
    """

    sizes: dict[str, int]
    problems: list[StoreProblem]


def check_store(store: ObjectStore, *, read_data: bool) -> ObjectsChecked:
    """Look at every file among the objects; with `read_data` compute every digest anew.

    Temporary files are no problem: `sweep_temporaries` removes those of dead writers.
    """
    sizes: dict[str, int] = {}
    problems: list[StoreProblem] = []
    for path in _files(store.root / "objects"):
        with suppress(FileNotFoundError):  # Collected while we looked.
            found = _problem(path, store.root, read_data)
            if found is not None:
                problems.append(found)
            if _is_placed(path):
                sizes[f"sha256:{path.name}"] = path.stat().st_size
    return ObjectsChecked(sizes, problems)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        is_folder = path.is_dir() and not path.is_symlink()
        if not is_folder and not path.name.startswith(TEMPORARY_PREFIX):
            yield path


def _is_placed(path: Path) -> bool:
    is_named = bool(_HEX.fullmatch(path.name)) and path.parent.name == path.name[:2]
    return is_named and path.parent.parent.name == "objects" and path.is_file()


def _problem(path: Path, root: Path, read_data: bool) -> StoreProblem | None:
    place = path.relative_to(root).as_posix()
    if path.is_symlink() or not _is_placed(path):
        got = "a link" if path.is_symlink() else "a foreign file"
        return StoreProblem(place, "objects/<2 hex>/<64 hex>", got)
    name = f"sha256:{path.name}"
    if path.stat().st_size == 0 and path.name != _EMPTY:
        return StoreProblem(name, name, "an empty file")
    if not read_data:
        return None
    try:
        got = digest_file(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        return StoreProblem(name, name, f"unreadable: {error.strerror}")
    return None if got == name else StoreProblem(name, name, got)
