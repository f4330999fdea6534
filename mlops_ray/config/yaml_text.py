"""Reads a YAML file as plain values plus the place of every key, at most 1 MiB of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from mlops_ray.config.yaml_parser import parse_yaml
from mlops_ray.errors import ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["YamlDocument", "read_yaml"]

_MAX_BYTES: Final = 2**20
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A mapping read from a file.

    Attributes:
        name: The file as the user named it.
        value: Plain dictionaries, lists and scalars.
        places: Line and column, from 1, of each key or list item by its path.
        overridden: Dotted keys whose value came from the command line.
    """

    name: str
    value: dict[str, Any]
    places: dict[_Path, tuple[int, int]]
    overridden: frozenset[str] = frozenset()

    def where(self, path: _Path) -> Where:
        """Place of a path; of its nearest ancestor in the file where the path is not written."""
        key = ".".join(str(part) for part in path)
        starts = (".".join(map(str, path[:end])) for end in range(1, len(path) + 1))
        if self.overridden.intersection(starts):
            return Where(file="--set", key=key)
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return Where(self.name, *self.places[path[:end]], key)
        return Where(self.name, 1, 1, key)

    def overridden_by(self, texts: Sequence[str]) -> YamlDocument:
        """A copy in which each ``dotted.key=value`` text, read as YAML, replaces a value.

        Raises:
            ConfigError: A text has no ``=``, or its key runs through something not a mapping.
        """
        value = copy.deepcopy(self.value)
        keys = frozenset(_override(value, text) for text in texts)
        return replace(self, value=value, overridden=keys)


def read_yaml(path: Path) -> YamlDocument:
    """Read a YAML mapping with the places of its keys.

    Raises:
        ConfigError: The file is absent, too large, not UTF-8, not YAML, not a single mapping, or
            uses an anchor, an alias, a tag or a key twice.
    """
    name = str(path)
    node, value = parse_yaml(_text(path), Where(name))
    if not isinstance(value, dict):
        raise ConfigError(
            "a pipeline file is one mapping",
            type(value).__name__,
            "version: 1, name: ..., data: ...",
            "`mlops-ray init` makes one that works",
            Where(name, 1, 1),
        )
    places: dict[_Path, tuple[int, int]] = {}
    _collect(node, (), places)
    return YamlDocument(name, value, places)


def _text(path: Path) -> str:
    where = Where(str(path))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        hint = "give the path of a pipeline file, or make one with `mlops-ray init`"
        raise ConfigError("config not found", hint=hint, where=where) from None
    except OSError as error:
        hint = "give the path of a pipeline file"
        raise ConfigError("config cannot be read", str(error.strerror), "", hint, where) from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(
            "config is too large", f"{len(data)} bytes", f"at most {_MAX_BYTES}", where=where
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        got, hint = f"byte {error.start}", "give a YAML file; data and models are no config"
        raise ConfigError("config is not UTF-8", got, "", hint, where) from error


def _override(value: dict[str, Any], text: str) -> str:
    key, sign, written = text.partition("=")
    *parents, last = key.split(".")
    if not sign or not last:
        raise ConfigError(
            "--set needs KEY=VALUE", wanted="such as search.trials=5", where=Where("--set")
        )
    target = value
    for part in parents:
        child = target.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(
                f"--set {key}: {part!r} is not a mapping",
                type(child).__name__,
                hint="set the whole value, for example key=[1, 2]",
                where=Where("--set", key=key),
            )
        target = child
    _, target[last] = parse_yaml(written, Where("--set", key=key))
    return key


def _collect(node: Node | None, path: _Path, places: dict[_Path, tuple[int, int]]) -> None:
    if isinstance(node, MappingNode):
        for key, item in node.value:
            places[(*path, key.value)] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _collect(item, (*path, key.value), places)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            places[(*path, index)] = (item.start_mark.line + 1, item.start_mark.column + 1)
            _collect(item, (*path, index), places)
