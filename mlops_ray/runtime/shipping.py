"""How captured code gets to the workers of a cluster that runs already.

The whole tree travels as Ray's working directory: it keeps its layout, single files and data, it
comes first on the workers' path, and Ray then leaves the driver's own folder out of it, in which
another package of the same name may lie. What lies in ``src`` travels as modules beside it. A job
that was submitted with a working directory has that settled, so there all parts travel as modules,
which come before it. Ray stores both under the digest of their content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ConfigError
from mlops_ray.runtime.code import ENGINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["shipped_code"]

_SOURCES: Final = "src"


def shipped_code(code: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a runtime environment that brings code to the workers.

    Args:
        code: An extracted bundle, or the folder of this package alone.
        job: The runtime environment of the job that this process belongs to; empty outside one.

    Raises:
        ConfigError: The job has settled how code is shipped, or a file cannot travel alone.
    """
    if code.name == ENGINE:
        return {} if "py_modules" in job else {"py_modules": [str(code)]}
    if "py_modules" in job:
        raise ConfigError(
            "the job was submitted with py_modules of its own, so its code cannot be shipped",
            hint="submit it with --working-dir alone: the run captures and ships the project",
        )
    if "working_dir" in job:
        return {"py_modules": [*_modules(code), *_modules(code / _SOURCES)]}
    sources = _modules(code / _SOURCES)
    return {"working_dir": str(code)} | ({"py_modules": sources} if sources else {})


def _modules(folder: Path) -> list[str]:
    return [str(place) for place in _places(folder)] if folder.is_dir() else []


def _places(folder: Path) -> Iterator[Path]:
    for place in sorted(folder.iterdir()):
        if place.name in {_SOURCES, "__pycache__"}:
            continue
        if place.is_file() and place.suffix != ".py":
            raise ConfigError(
                "a file that is not Python cannot be shipped alone",
                place.name,
                "a folder around it",
                "move it into a folder, and name that in code.include",
            )
        yield place
