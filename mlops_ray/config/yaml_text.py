"""Reads YAML as plain values plus the place of every key, and refuses YAML's traps.

Aliases (a 235-byte file can become 28 MB), anchors, tags, duplicate keys, several documents and
anything over 1 MiB are errors with a line, not surprises later.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.tokens import AliasToken, AnchorToken, TagToken

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
        if key in self.overridden:
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
    text = _text(path)
    name = str(path)
    try:
        _refuse_indirection(text, name)
        node = YAML(typ="safe", pure=True).compose(text)
        value = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Where(name, mark.line + 1, mark.column + 1) if mark else Where(name)
        raise ConfigError("not valid YAML", _first_line(error), where=place) from error
    except YAMLError as error:
        raise ConfigError("not valid YAML", _first_line(error), where=Where(name)) from error
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
            "--set needs KEY=VALUE", repr(text), "such as search.trials=5", where=Where("--set")
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
    try:
        target[last] = YAML(typ="safe", pure=True).load(written)
    except YAMLError as error:
        place, hint = Where("--set", key=key), "put the value in quotes, or close what is open"
        raise ConfigError("not valid YAML", repr(written), "", hint, place) from error
    return key


def _refuse_indirection(text: str, name: str) -> None:
    kinds = {AliasToken: "an alias", AnchorToken: "an anchor", TagToken: "a tag"}
    for token in YAML(typ="safe", pure=True).scan(text):
        if type(token) in kinds:
            mark = token.start_mark
            raise ConfigError(
                f"a pipeline file has no anchors, aliases or tags: found {kinds[type(token)]}",
                hint="write the value out",
                where=Where(name, mark.line + 1, mark.column + 1),
            )


def _collect(node: Node, path: _Path, places: dict[_Path, tuple[int, int]]) -> None:
    if isinstance(node, MappingNode):
        for key, item in node.value:
            places[(*path, key.value)] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _collect(item, (*path, key.value), places)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            places[(*path, index)] = (item.start_mark.line + 1, item.start_mark.column + 1)
            _collect(item, (*path, index), places)


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None)
    return str(problem or error).strip().splitlines()[0]
