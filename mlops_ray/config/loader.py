"""Loads a pipeline file: every mistake at once, each with file, line, column and dotted key."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from mlops_ray.config.consistency import contradictions
from mlops_ray.config.declared_secrets import check_document, check_overrides
from mlops_ray.config.model import PipelineConfig
from mlops_ray.config.secret_formats import shown
from mlops_ray.config.yaml_text import YamlDocument, read_yaml
from mlops_ray.errors import ConfigProblem, InvalidConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["LoadedConfig", "load_config", "nearest"]

_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid pipeline file with what is needed to speak about it.

    Attributes:
        config: The declarations with all defaults.
        path: The file.
        document: The raw mapping and the places of its keys.
        overrides: ``dotted.key=value`` texts that won over the file.
    """

    config: PipelineConfig
    path: Path
    document: YamlDocument
    overrides: tuple[str, ...] = ()

    def origins(self) -> dict[str, str]:
        """Where each value came from: ``default``, ``file`` or ``cli``, by dotted key."""
        leaves = _leaves(self.config, (), is_given=True)
        return {
            ".".join(map(str, path)): self._origin(path) if is_given else "default"
            for path, is_given in leaves
        }

    def _origin(self, path: _Path) -> str:
        prefixes = [".".join(map(str, path[:end])) for end in range(1, len(path) + 1)]
        return "cli" if self.document.overridden.intersection(prefixes) else "file"


def load_config(
    path: Path,
    overrides: Sequence[str] = (),
    further: Callable[[LoadedConfig], Iterable[ConfigProblem]] = lambda _: (),
) -> LoadedConfig:
    """Load and validate a pipeline file.

    Args:
        path: The file.
        overrides: ``dotted.key=value`` texts, the value read as YAML; they win over the file.
        further: Finds mistakes that this package cannot know, such as an estimator's parameters;
            they are reported together with the contradictions found here.

    Raises:
        InvalidConfigError: The file is YAML but not a valid pipeline; lists all mistakes.
        ConfigError: The file cannot be read, an override is malformed, or something that is
            declared looks like a secret.
    """
    written = read_yaml(path)
    check_overrides(overrides)
    document = written.overridden_by(overrides)
    check_document(document)
    try:
        config = PipelineConfig.model_validate(document.value)
    except ValidationError as error:
        problems = _problems(error.errors(), document)
        raise InvalidConfigError(tuple(sorted(problems, key=lambda p: p.where))) from None
    loaded = LoadedConfig(config, path, document, tuple(overrides))
    conflicts = [
        ConfigProblem(what, hint=hint, where=document.where(place))
        for place, what, hint in contradictions(config)
    ]
    conflicts += further(loaded)
    if conflicts:
        raise InvalidConfigError(tuple(sorted(conflicts, key=lambda p: p.where)))
    return loaded


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint naming the most similar known name, or all of them.

    Example:
        >>> nearest("trails", ["trials", "space"])
        "did you mean 'trials'?"
    """
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1)
    if match:
        return f"did you mean {match[0]!r}?"
    return f"known here: {', '.join(names)}" if names else ""


def _problems(details: list[ErrorDetails], document: YamlDocument) -> list[ConfigProblem]:
    """One problem a mistake: a union complains once for each of its members."""
    merged: dict[tuple[_Path, str, str], ConfigProblem] = {}
    for detail in details:
        problem = _problem(detail, document)
        key = (_path_in_file(detail["loc"], document.value), problem.what, problem.got)
        known = merged.get(key)
        if known and known.wanted != problem.wanted:
            problem = known._replace(wanted=f"{known.wanted} or {problem.wanted}")
        merged[key] = problem
    return list(merged.values())


def _problem(detail: ErrorDetails, document: YamlDocument) -> ConfigProblem:
    path = _path_in_file(detail["loc"], document.value)
    where = document.where(path)
    kind, message = detail["type"], detail["msg"]
    if kind == "extra_forbidden":
        hint = nearest(str(path[-1]), _fields_at(path[:-1]))
        return ConfigProblem(f"unknown key {path[-1]!r}", hint=hint, where=where)
    if kind == "missing":
        return ConfigProblem("required key is missing", hint=f"add {where.key!r}", where=where)
    if kind == "union_tag_invalid":
        tag, known = detail["ctx"]["tag"], detail["ctx"]["expected_tags"]
        hint = nearest(tag, known.replace("'", "").split(", "))
        return ConfigProblem(f"unknown step {tag!r}", hint=hint, where=where)
    if kind == "value_error":
        return ConfigProblem(message.removeprefix("Value error, "), where=where)
    got = detail["input"]
    if isinstance(got, date):
        hint = f'put it in quotes: "{got}"'
        return ConfigProblem("wrong value", f"the date {got}", _lowered(message), hint, where)
    return ConfigProblem("wrong value", shown(got), _lowered(message), where=where)


def _lowered(message: str) -> str:
    return message.removeprefix("Input should be ")[:200]


def _path_in_file(location: tuple[int | str, ...], value: Any) -> _Path:  # noqa: ANN401 - raw
    """Pydantic's location without the names of union members, which no user wrote."""
    path: list[str | int] = []
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(value, dict) and (part in value or is_last):
            path.append(part)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
    return tuple(path)


def _fields_at(path: _Path) -> set[str]:
    """Names that the models know at a path; empty where any name is allowed."""
    candidates: list[Any] = [PipelineConfig]
    for part in path:
        candidates = [child for item in candidates for child in _children(item, part)]
    return {
        field.alias or name for model in candidates for name, field in model.model_fields.items()
    }


def _children(model: type[BaseModel], part: str | int) -> Iterator[type[BaseModel]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if isinstance(part, int):
        yield model  # The item of a list: the models were already found at the list's own key.
    elif part in fields:
        yield from _models_in(fields[part].annotation)
    elif "step" in fields and fields["step"].default == part:
        yield model  # The short form of a step: its name is the key.


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a typing form
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _leaves(value: Any, path: _Path, *, is_given: bool) -> Iterator[tuple[_Path, bool]]:  # noqa: ANN401 - any value
    """Paths of the plain values, and whether somebody gave them; a short form gives what it means.

    Models remember which of their fields were given, so a default is told from an equal value.
    """
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            is_set = is_given and name in value.model_fields_set
            yield from _leaves(getattr(value, name), (*path, field.alias or name), is_given=is_set)
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key), is_given=is_given)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index), is_given=is_given)
    else:
        yield path, is_given
