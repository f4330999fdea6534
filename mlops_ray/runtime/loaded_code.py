"""Finds modules that this process has loaded and whose files were edited since.

A run in a notebook or a script executes what was imported, while the file is what is captured: if
the two differ, the record would name code that did not run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from mlops_ray.runtime.loaded_parts import differing_part
from mlops_ray.runtime.loaded_source import noted_digest, source_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

__all__ = ["edited_since_loaded"]

_PYC_HEADER: Final = 16


def edited_since_loaded(files: Mapping[Path, bytes], started_at: float | None = None) -> list[Path]:
    """Files of modules in this process that hold other code now than was loaded, sorted.

    A file that is older than the process is what was loaded. Of a younger one the digest that was
    noted decides; without one the loaded parts and the note that Python leaves in its cache are
    compared with it, and where neither tells, it is taken for unchanged.

    Args:
        files: Captured content by absolute path.
        started_at: Seconds since the epoch; by default when this process was started.
    """
    start = psutil.Process().create_time() if started_at is None else started_at
    found: list[Path] = []
    for module in list(sys.modules.values()):
        place = getattr(module, "__file__", None)
        if place is None or (path := Path(place)) not in files:
            continue
        if _touched_at(path) >= start and _is_other(module, path, files[path]):
            found.append(path)
    return sorted(found)


def _touched_at(path: Path) -> float:
    facts = path.stat()
    return max(facts.st_mtime, facts.st_ctime)


def _is_other(module: ModuleType, path: Path, data: bytes) -> bool:
    noted = noted_digest(module)
    if noted is not None:
        return noted != source_digest(data)
    return _is_cache_of_another(module, path) or bool(differing_part(module, data))


def _is_cache_of_another(module: ModuleType, path: Path) -> bool:
    """Whether Python's cache was written for a file of another time or size, when it was loaded."""
    cached = getattr(module, "__cached__", None)
    if sys.dont_write_bytecode or not cached or not os.path.isfile(cached):  # noqa: PTH113
        return False
    with open(cached, "rb") as stream:  # noqa: PTH123 - a str, as Python gives it
        header = stream.read(_PYC_HEADER)
    if len(header) < _PYC_HEADER or header[4:8] != bytes(4):  # By content, not by time.
        return False
    facts = path.stat()
    time, size = (int.from_bytes(header[i : i + 4], "little") for i in (8, 12))
    return (time, size) != (int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF)
