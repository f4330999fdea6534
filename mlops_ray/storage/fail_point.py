"""Named places where a test stops a process, to kill it from outside or to let another go first.

Nothing happens unless the environment asks for it:

- ``MLOPS_RAY_FAIL_POINT``: a name, or ``name#3`` for the third time this process comes by. There
  the process writes its number to the file named by ``MLOPS_RAY_FAIL_POINT_REACHED`` and stands
  still for as long as that file exists. Only the first of several processes stops.
- ``MLOPS_RAY_FAIL_POINT_TRACE``: a file to which every name is appended, one a line.

Names are literals at every call, so that a test can collect them from the source.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Final

__all__ = ["fail_point"]

_POINT: Final = "MLOPS_RAY_FAIL_POINT"
_REACHED: Final = "MLOPS_RAY_FAIL_POINT_REACHED"
_TRACE: Final = "MLOPS_RAY_FAIL_POINT_TRACE"
_LOOK_EVERY_S: Final = 0.005

_hits: Counter[str] = Counter()


def fail_point(name: str) -> None:
    """Pass by a named place; stop there if the environment says so."""
    point, trace = os.environ.get(_POINT), os.environ.get(_TRACE)
    if trace is not None:
        _append(trace, name)
    if point is None or point.partition("#")[0] != name:
        return
    _hits[name] += 1
    reached = os.environ.get(_REACHED)
    if reached and _hits[name] == int(point.partition("#")[2] or 1):
        _stand_still(Path(reached))


def _append(trace: str, name: str) -> None:
    descriptor = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{name}\n".encode())
    finally:
        os.close(descriptor)


def _stand_still(reached: Path) -> None:
    # Linked into place, so that whoever sees the file reads a whole number.
    draft = reached.with_name(f"{reached.name}.{os.getpid()}")
    draft.write_text(str(os.getpid()), encoding="ascii")
    try:
        reached.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    while reached.exists():
        time.sleep(_LOOK_EVERY_S)
