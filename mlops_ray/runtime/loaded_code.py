"""Finds modules that this process has loaded and whose files were edited since.

A run in a notebook or a script executes what was imported, while the file is what is captured: if
the two differ, the record would name code that did not run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["edited_since_loaded"]

_PYC_HEADER: Final = 16


def edited_since_loaded(files: Mapping[Path, bytes], started_at: float | None = None) -> list[Path]:
    """Files of modules in this process that hold other code now than was loaded, sorted.

    A file that is older than the process is what was loaded. Of a younger one the loaded functions
    and the note that Python leaves in its cache are compared with it; where neither tells, it is
    taken for unchanged, such as a module that was written and then imported.

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
    try:
        code = compile(data, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return True  # What was loaded could be compiled.
    now = [(part.co_name, _content(part)) for part in code.co_consts if isinstance(part, CodeType)]
    return _is_cache_of_another(module, path) or any(
        (loaded.co_name, _content(loaded)) not in now for loaded in _loaded_functions(module)
    )


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


def _loaded_functions(module: ModuleType) -> Iterator[CodeType]:
    """Code of the module's own functions; what a decorator has put in their place is none."""
    for name, value in list(vars(module).items()):
        code = value.__code__ if isinstance(value, FunctionType) else None
        if code is not None and (code.co_filename, code.co_name) == (module.__file__, name):
            yield code


def _content(code: CodeType) -> tuple[object, ...]:
    """What a function does, without where it stands."""
    constants = tuple(
        _content(item) if isinstance(item, CodeType) else (type(item), item)
        for item in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, constants
