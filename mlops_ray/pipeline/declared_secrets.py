"""Refuses a pipeline file with a secret in it: its values are recorded, exported and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.errors import ConfigError
from mlops_ray.runtime.code_scan import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.loader import LoadedConfig

__all__ = ["check_declared_secrets"]

_Path = tuple[str | int, ...]


def check_declared_secrets(loaded: LoadedConfig) -> None:
    """Look for secrets among the values of a pipeline file and of ``--set``.

    Raises:
        ConfigError: A value looks like one; its place and kind are named, never the value.
    """
    values = list(_texts(loaded.document.value, ()))
    lines = "\n".join(f"{_name(path)}: {' '.join(text.split())}" for path, text in values)
    for finding in secrets_in({"values.yaml": lines.encode("utf-8", "replace")}):
        path = values[finding.line - 1][0]
        raise ConfigError(
            "the pipeline file seems to hold a secret",
            finding.kind,
            "values that may be recorded",
            "remove it; what needs it takes it from the environment",
            loaded.document.where(path),
        )


def _texts(value: Any, path: _Path) -> Iterator[tuple[_Path, str]]:  # noqa: ANN401 - raw YAML
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
    elif isinstance(value, str):
        yield path, value


def _name(path: _Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "value")
