"""Parses YAML text into a value and its nodes; what YAML allows and nobody means is an error.

Aliases, anchors and tags, keys that are no text, nesting beyond all use, numbers of thousands of
digits and halves of characters are refused with their place.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml import tokens as t
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mlops_ray.config.secret_formats import redacted
from mlops_ray.errors import ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ruamel.yaml.error import StreamMark

    _Place = Callable[[StreamMark | None], Where]

__all__ = ["parse_yaml"]

_MAX_DEPTH: Final = 50
_MAX_DIGITS: Final = 400  # More than any float64 has before its point.
_TAG: Final = "tag:yaml.org,2002:"
_INDIRECTIONS: Final = {t.AliasToken: "an alias", t.AnchorToken: "an anchor", t.TagToken: "a tag"}
_STEPS: Final = {
    t.BlockMappingStartToken: 1,
    t.BlockSequenceStartToken: 1,
    t.FlowMappingStartToken: 1,
    t.FlowSequenceStartToken: 1,
    t.BlockEndToken: -1,
    t.FlowMappingEndToken: -1,
    t.FlowSequenceEndToken: -1,
}


def parse_yaml(text: str, place: Where) -> tuple[Node | None, Any]:
    """Parse one document.

    Args:
        text: The document.
        place: Of the whole text; line and column are added where it is a file without a key.

    Returns:
        The root node, None where the text is empty, and the plain value.

    Raises:
        ConfigError: It is not YAML, or it is of a kind that is refused here.

    Example:
        >>> parse_yaml("[1, a]", Where("p.yaml"))[1]
        [1, 'a']
    """
    at = functools.partial(_at, place)
    try:
        _check_tokens(text, at)
        node = YAML(typ="safe", pure=True).compose(text)
        for scalar, is_key in _scalars(node, at):
            _check_scalar(scalar, at, is_key=is_key)
        return node, _value(text, node, at)
    except MarkedYAMLError as error:
        where = at(error.problem_mark or error.context_mark)
        # Its own text quotes lines of the file, in which a secret may stand.
        raise ConfigError("not valid YAML", _problem(error), "", _hint(place), where) from None
    except YAMLError as error:
        raise ConfigError("not valid YAML", _problem(error), "", _hint(place), place) from None


def _at(place: Where, mark: StreamMark | None) -> Where:
    if mark is None or place.key:
        return place
    return place._replace(line=mark.line + 1, column=mark.column + 1)


def _problem(error: YAMLError) -> str:
    """What is wrong, without the values of a key that is there twice."""
    problem = getattr(error, "problem", None)
    return redacted(str(problem or error).strip().splitlines()[0].partition(" with value ")[0])


def _hint(place: Where) -> str:
    return "put the value in quotes, or close what is open" if place.key else ""


def _check_tokens(text: str, at: _Place) -> None:
    """Refuse, before anything recurses, indirection and deep nesting."""
    depth = 0
    for token in YAML(typ="safe", pure=True).scan(text):
        depth += _STEPS.get(type(token), 0)
        if depth > _MAX_DEPTH:
            what, wanted = "nested too deeply", f"at most {_MAX_DEPTH} levels"
            raise ConfigError(what, wanted=wanted, where=at(token.start_mark))
        if type(token) in _INDIRECTIONS:
            raise ConfigError(
                "a pipeline file has no anchors, aliases or tags: "
                f"found {_INDIRECTIONS[type(token)]}",
                hint="write the value out",
                where=at(token.start_mark),
            )


def _scalars(node: Node | None, at: _Place) -> Iterator[tuple[ScalarNode, bool]]:
    """Every scalar of a tree, and whether it is a key."""
    if isinstance(node, ScalarNode):
        yield node, False
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _scalars(item, at)
    elif isinstance(node, MappingNode):
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                kind = "a list" if isinstance(key, SequenceNode) else "a mapping"
                raise ConfigError("a key is text", kind, where=at(key.start_mark))
            yield key, True
            yield from _scalars(item, at)


def _check_scalar(node: ScalarNode, at: _Place, *, is_key: bool) -> None:
    where, kind = at(node.start_mark), str(node.tag).removeprefix(_TAG)
    if any("\ud800" <= char <= "\udfff" for char in node.value):
        hint = "write the character itself"
        raise ConfigError("half of a character (a lone surrogate)", hint=hint, where=where)
    if kind == "int" and len(node.value) > _MAX_DIGITS:
        got, wanted = f"{len(node.value)} characters", f"at most {_MAX_DIGITS}"
        raise ConfigError("a number is too long", got, wanted, where=where)
    if is_key and kind != "str":
        hint = "put it in quotes"
        raise ConfigError("a key is text", repr(node.value[:80]), "", hint, where)


def _value(text: str, node: Node | None, at: _Place) -> Any:  # noqa: ANN401 - any YAML value
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (ValueError, OverflowError):
        # Such as 2018-13-01, or 0x without digits: it looks like what it is not.
        for scalar, _ in _scalars(node, at):
            _check_readable(scalar, at(scalar.start_mark))
        raise


def _check_readable(node: ScalarNode, where: Where) -> None:
    try:
        YAML(typ="safe", pure=True).constructor.construct_document(node)
    except (ValueError, OverflowError) as error:
        what, got = "no such date or number", repr(node.value)
        raise ConfigError(what, got, "", "put it in quotes if it is text", where) from error
