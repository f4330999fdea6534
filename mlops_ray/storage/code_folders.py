"""Removal of extracted code that no living process runs from."""

from __future__ import annotations

import secrets
import shutil
import time
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import StoreError
from mlops_ray.storage.lease import gate, living_journals

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["remove_code_folders"]

_PREFIX: Final = "tree-"
_REMOVED_PREFIX: Final = ".removed-"
# A run names its code in its lease only after it has replaced its own process image.
_STARTING_S: Final = 3600.0


def remove_code_folders(root: Path, *, dry_run: bool = False) -> int:
    """Remove the folders ``code/tree-<64 hex>`` that no living lease names; returns their number.

    A folder that was made or marked as used within the last hour stays too.

    Raises:
        StoreError: The store cannot be written.
    """
    if not (root / "code").is_dir():
        return 0
    try:
        with gate(root, is_exclusive=True):
            held = living_journals(root, remove_dead=False)
            unused = [folder for folder in _old(root / "code") if _name(folder) not in held]
            # Only renamed while writers wait; whoever is killed now leaves no half folder behind.
            removed = [] if dry_run else [_renamed(folder) for folder in unused]
    except OSError as error:
        raise StoreError(
            "extracted code cannot be removed", error.strerror or str(error)
        ) from error
    leftovers = [] if dry_run else list((root / "code").glob(f"{_REMOVED_PREFIX}*"))
    for folder in {*removed, *leftovers}:
        shutil.rmtree(folder, ignore_errors=True)
    return len(unused)


def _old(code: Path) -> list[Path]:
    newest = time.time() - _STARTING_S
    return [path for path in sorted(code.glob(f"{_PREFIX}*")) if path.stat().st_mtime < newest]


def _name(folder: Path) -> str:
    return f"sha256:{folder.name.removeprefix(_PREFIX)}"


def _renamed(folder: Path) -> Path:
    return folder.rename(folder.with_name(f"{_REMOVED_PREFIX}{secrets.token_hex(8)}"))
