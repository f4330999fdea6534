"""Whether a module was loaded from the code that was recorded, whatever its file holds by now.

A worker of a session that the user has started may have loaded a module long before the run that
needs it, and so may a notebook.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from mlops_ray.runtime.loaded_parts import differing_part

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["loaded_otherwise", "note_source", "noted_digest", "source_digest"]

_NOTED: Final[WeakKeyDictionary[ModuleType, str]] = WeakKeyDictionary()


def note_source(module: ModuleType | None) -> None:
    """Remember the digest of a module's file; called while Python runs it, it is of what is loaded.

    Args:
        module: None, or one without a readable file, is passed over.
    """
    place = getattr(module, "__file__", None)
    if module is not None and place is not None and os.path.isfile(place):  # noqa: PTH113 - a str
        _NOTED[module] = source_digest(Path(place).read_bytes())


def noted_digest(module: ModuleType) -> str | None:
    """The digest that `note_source` has noted of a module."""
    return _NOTED.get(module)


def loaded_otherwise(module: ModuleType, recorded: bytes) -> str:
    """What shows that a module was loaded from other code than was recorded; empty for nothing.

    A digest that was noted settles it. Without one the module's file has to hold the recorded code,
    and the loaded parts have to agree with it.

    Args:
        module: Loaded from a file.
        recorded: The file's content as it was recorded.
    """
    noted = _NOTED.get(module)
    if noted is not None:
        return "" if noted == source_digest(recorded) else f"a source of digest {noted[:19]}..."
    place = Path(str(module.__file__))
    if place.is_file() and place.read_bytes() != recorded:
        return f"the file {place.name}, which holds other code"
    part = differing_part(module, recorded)
    return part and f"{part} as it was before {place.name} was edited"


def source_digest(data: bytes) -> str:
    """SHA-256 of a source, as records write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
