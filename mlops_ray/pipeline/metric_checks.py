"""Looks a project's own metrics up in its source, without running any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigError
from mlops_ray.pipeline.feature_functions import declared_version, source_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.config.loader import LoadedConfig

__all__ = ["check_metrics"]


def check_metrics(loaded: LoadedConfig, root: Path) -> None:
    """Hold every declared metric against the project's source.

    Raises:
        ConfigError: The project has no such module or function, or it has another version.
    """
    for at, declared in enumerate(loaded.config.evaluation.functions):
        module, _, name = declared.function.partition(":")
        where = loaded.document.where(("evaluation", "functions", at, "function"))
        path = source_of(root, module)
        if path is None:
            hint = f"write {module.replace('.', '/')}.py below the project root"
            raise ConfigError(f"the project has no module {module!r}", hint=hint, where=where)
        version = declared_version(path, name, "metric")
        if version != declared.version:
            none = f"no `@metric(version=...)` of this name in {path.name}"
            raise ConfigError(
                f"the metric {declared.function!r} is not the declared one",
                none if version is None else f"version {version}",
                f"version {declared.version}",
                f"write @mlops_ray.metric(version={declared.version}) above it",
                where,
            )
