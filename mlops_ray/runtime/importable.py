"""Whether workers can import a function: only then does the captured code hold it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_importable"]


def check_importable(fn: Callable[..., Any]) -> None:
    """Refuse a function that cannot be found by its module's and its own name.

    A notebook's cell, a lambda and a function within a function would reach a worker as a pickle
    that no record names, so that nobody could repeat the run.

    Raises:
        ConfigError: The function is of no module that can be imported.

    Example:
        >>> import os.path
        >>> check_importable(os.path.join)
    """
    inner = getattr(fn, "func", fn)  # Of a functools.partial.
    name = str(getattr(inner, "__qualname__", type(inner).__qualname__))
    module = str(getattr(inner, "__module__", None) or type(inner).__module__)
    if reason := _reason(module, name, inner):
        raise ConfigError(
            f"{name!r} cannot be imported by the workers: {reason}",
            wanted="a function at the top of a module",
            hint="put it in a .py file of the project and import it from there",
            where=Where(file="" if module == "__main__" else module),
        )


def _reason(module: str, name: str, fn: object) -> str:
    if "<lambda>" in name:
        return "it is a lambda"
    if "<locals>" in name:
        return "it is defined inside a function"
    if module == "__main__":
        return "it is defined in a notebook cell or in the program itself"
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not fn and not callable(found):
        return f"{module!r} has no such name"
    return ""
