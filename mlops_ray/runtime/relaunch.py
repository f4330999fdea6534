"""Starts a program anew from captured code, in the same process.

Editing a file an hour after a run has started must change nothing, and neither must it a second
after: so the code is captured and extracted first, and then Python replaces itself by a Python
that imports from there. `os.execve` keeps the process id, the terminal, and who waits for it.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Final, NoReturn

from mlops_ray.errors import StoreError
from mlops_ray.runtime.code import ENGINE_FOLDER
from mlops_ray.runtime.code_bundle import import_paths, verified_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlops_ray.runtime.code import CodeBundle

__all__ = ["bundle_command", "bundle_environment", "execute", "running_bundle", "running_code"]

_VARIABLE: Final = "MLOPS_RAY_CODE"
_PATHS: Final = "PYTHONPATH"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def execute(folder: Path, program: Sequence[str]) -> NoReturn:
    """Replace this process by Python running a program from an extracted bundle.

    Args:
        folder: The extracted bundle.
        program: What follows Python's own options, such as ``("-m", "mlops_ray", "run")``.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    command = bundle_command(program)
    os.execve(command[0], command, bundle_environment(folder, os.environ))  # noqa: S606


def bundle_command(program: Sequence[str]) -> list[str]:
    """The command line of Python for a program that imports from a bundle, not from its folder.

    Example:
        >>> bundle_command(["-m", "mlops_ray"])[-3:]
        ['-P', '-m', 'mlops_ray']
    """
    warnings = [f"-W{option}" for option in sys.warnoptions]
    return [sys.executable, *warnings, "-P", *program]


def bundle_environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for a Python that imports from an extracted bundle before anything else."""
    before = environment.get(_PATHS)
    paths = [*import_paths(folder), *([before] if before else [])]
    digest = f"sha256:{folder.name.removeprefix('tree-')}"
    return {**environment, _PATHS: os.pathsep.join(paths), _VARIABLE: digest}


def running_bundle() -> Path | None:
    """The extracted bundle that this process was started from; None where there is none.

    The first call takes the variables back that `bundle_environment` has set, so that programs
    started from here do not take this bundle for theirs.

    Raises:
        StoreError: This process was started from a bundle, and imports from elsewhere.
    """
    return _started_from()


def running_code() -> CodeBundle | None:
    """The files of the bundle that this process was started from; None where there is none.

    Raises:
        StoreError: They are not those that were captured any more.
    """
    folder = running_bundle()
    if folder is None:
        return None
    bundle = verified_bundle(folder)
    if bundle is None:
        raise StoreError(
            "the captured code was changed while it ran",
            folder.name,
            hint="start the run again, and edit the project's files, not the store's",
        )
    return bundle


@cache
def _started_from() -> Path | None:
    digest = os.environ.pop(_VARIABLE, None)
    if digest is None or not _DIGEST.fullmatch(digest):
        return None
    folder = ENGINE_FOLDER.parent
    if folder.name != f"tree-{digest.removeprefix('sha256:')}":
        raise StoreError(
            "Python does not import the captured code",
            str(ENGINE_FOLDER),
            f"a folder tree-{digest.removeprefix('sha256:')[:12]}...",
            "something else comes before PYTHONPATH: look at the .pth files of the environment",
        )
    _forget(import_paths(folder))
    return folder


def _forget(paths: Sequence[str]) -> None:
    kept = os.environ.get(_PATHS, "").split(os.pathsep)[len(paths) :]
    if kept:
        os.environ[_PATHS] = os.pathsep.join(kept)
    else:
        os.environ.pop(_PATHS, None)
