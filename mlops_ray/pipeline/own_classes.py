"""Looks a class of the project up in its source, without running any of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigError
from mlops_ray.pipeline.feature_functions import source_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.errors import Where

__all__ = ["check_own_class"]


def check_own_class(root: Path, name: str, role: str, hint: str, where: Where) -> None:
    """Look for a class at the top of a module.

    Args:
        root: Project root.
        name: ``module:Class``.
        role: What it is to be.
        hint: What such a class needs.
        where: Where it is named.

    Raises:
        ConfigError: The project has no such module or class.
    """
    module, _, attribute = name.partition(":")
    path = source_of(root, module)
    if path is None:
        way_out = f"write {module.replace('.', '/')}.py below the project root"
        raise ConfigError(f"the project has no module {module!r}", hint=way_out, where=where)
    if attribute not in _classes(path):
        got = f"no class {attribute!r} at the top of {path.name}"
        raise ConfigError(f"there is no {role} {name!r}", got, hint=hint, where=where)


def _classes(path: Path) -> set[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
