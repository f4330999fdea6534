"""Looks a project's own feature functions up in its source, without running any of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigError
from mlops_ray.features.declaration import read_step
from mlops_ray.features.steps.function import Function
from mlops_ray.runtime.import_closure import SOURCE_ROOTS

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.config.loader import LoadedConfig

__all__ = ["check_functions", "declared_version", "source_of"]


def check_functions(loaded: LoadedConfig, root: Path) -> None:
    """Hold every step ``function`` against the project's source.

    Raises:
        ConfigError: The project has no such module or function, or it has another version.
    """
    for at, group in enumerate(loaded.config.features):
        for number, declared in enumerate(group.steps):
            if declared.step != "function":
                continue
            step = read_step(declared, f"features.{at}.steps.{number}")
            if isinstance(step, Function):
                _check(step, root, f"features.{at}.steps.{number}", loaded)


def _check(step: Function, root: Path, key: str, loaded: LoadedConfig) -> None:
    module, _, name = step.name.partition(":")
    where = loaded.document.where(
        tuple(int(part) if part.isdecimal() else part for part in key.split("."))
    )
    path = source_of(root, module)
    if path is None:
        hint = f"write {module.replace('.', '/')}.py below the project root"
        raise ConfigError(f"the project has no module {module!r}", hint=hint, where=where)
    version = declared_version(path, name, "feature_function")
    if version == step.version:
        return
    raise ConfigError(
        f"the function {step.name!r} is not the declared one",
        f"no `@feature_function(version=...)` of this name in {path.name}"
        if version is None
        else f"version {version}",
        f"version {step.version}",
        f"write @mlops_ray.feature_function(version={step.version}) above it",
        where,
    )


def source_of(root: Path, module: str) -> Path | None:
    """The file of a module of the project; None where there is none."""
    stem = module.replace(".", "/")
    paths = (root / f"{folder}{stem}" for folder in SOURCE_ROOTS)
    found = (file for p in paths for file in (p / "__init__.py", p.with_suffix(".py")))
    return next((file for file in found if file.is_file()), None)


def declared_version(path: Path, name: str, decorator: str) -> int | None:
    """The version that a function at the top of a module is decorated with.

    Args:
        path: The module's file.
        name: The function.
        decorator: Name of what marks it with a version.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            found = (_declared(item, decorator) for item in node.decorator_list)
            return next((version for version in found if version is not None), None)
    return None


def _declared(decorated: ast.expr, decorator: str) -> int | None:
    if not isinstance(decorated, ast.Call):
        return None
    called = decorated.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    values = [*decorated.args, *(keyword.value for keyword in decorated.keywords)]
    if name != decorator or len(values) != 1:
        return None
    value = values[0].value if isinstance(values[0], ast.Constant) else None
    return value if isinstance(value, int) else None
