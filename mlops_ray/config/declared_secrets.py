"""Refuses a secret among what a user declares: it would be recorded, exported and shown.

`load_config` asks before it looks at anything else, so whoever loads a pipeline file gets the same
answer, and no later message can repeat a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlops_ray.config.secret_scan import kinds_in_values
from mlops_ray.errors import ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlops_ray.config.yaml_text import YamlDocument

__all__ = ["check_document", "check_overrides", "first_secret"]

_Path = tuple[str | int, ...]
_OPTION: Final = "--set"


def check_document(document: YamlDocument) -> None:
    """Look for secrets among the keys and values of a pipeline file.

    Raises:
        ConfigError: One looks like a secret; its place and kind are named, never the secret.
    """
    found = first_secret(document.value)
    if found is not None:
        raise _refusal(found[1], document.where(found[0]))


def check_overrides(texts: Sequence[str]) -> None:
    """Look for secrets in what ``--set`` was given, before it is read as YAML.

    Raises:
        ConfigError: One looks like a secret; its place and kind are named, never the secret.
    """
    parts = [text.partition("=") for text in texts]
    named = [(key.rpartition(".")[2], value) for key, _, value in parts]
    kinds = kinds_in_values([("", key) for key, *_ in parts] + named)
    for index, kind in kinds.items():
        is_key = index < len(parts)
        raise _refusal(kind, Where(_OPTION, key="" if is_key else parts[index - len(parts)][0]))


def first_secret(value: Any) -> tuple[_Path, str] | None:  # noqa: ANN401 - any JSON or YAML value
    """Path and kind of the first key or value that looks like a secret; of a key, its mapping's.

    Example:
        >>> first_secret({"notes": {"password": "hunter2" + "-Kq83ZmVx"}})
        (('notes', 'password'), 'Secret Keyword')
    """
    found = list(_texts(value, (), ""))
    kinds = kinds_in_values([(name, text) for _, name, text in found])
    return next(((found[index][0], kind) for index, kind in kinds.items()), None)


def _texts(value: Any, path: _Path, name: str) -> Iterator[tuple[_Path, str, str]]:  # noqa: ANN401
    """Each key and each scalar as a text, with the path to name and the nearest key."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield path, "", str(key)
            yield from _texts(item, (*path, key), str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index), name)
    elif value is not None:
        yield path, name, str(value)


def _refusal(kind: str, where: Where) -> ConfigError:
    return ConfigError(
        "the pipeline file seems to hold a secret",
        kind,
        "values that may be recorded",
        "remove it; what needs it takes it from the environment",
        where,
    )
