"""A folder of outputs that appears whole or not at all; what a killed writer left is swept."""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import BusyError, StoreError
from mlops_ray.storage import fail_point, process_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["whole_or_nothing"]

_LOCK: Final = ".lock"


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """A folder that becomes `out` where the block ends without an error, else vanishes.

    Raises:
        StoreError: `out` is there already, or cannot be written.
    """
    if out.exists():
        what, hint = f"{out.name or out} is there already", "name a folder that is not there yet"
        raise StoreError(what, wanted="a new folder", hint=hint)
    try:
        with _temporary_beside(out) as folder:
            yield folder
            fail_point("features.written")
            folder.rename(out)
            fail_point("features.renamed")
    except OSError as error:
        got, hint = f"{error.strerror or error}", "free disk space or choose another folder"
        raise StoreError(f"cannot write the folder {out.name}", got, hint=hint) from error


@contextmanager
def _temporary_beside(out: Path) -> Iterator[Path]:
    """A folder with a lock beside it for as long as its writer lives."""
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent, out.name)
    folder = parent / f".{out.name}.{secrets.token_hex(8)}"
    with process_lock(parent / f"{folder.name}{_LOCK}"):
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path, name: str) -> None:
    """Remove what writers left who were killed on the way to this folder."""
    wanted = re.compile(re.escape(f".{name}.") + "[0-9a-f]{16}" + re.escape(_LOCK))
    for lock in [path for path in parent.iterdir() if wanted.fullmatch(path.name)]:
        with suppress(BusyError), process_lock(lock, timeout_s=0):  # Else its writer lives.
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
