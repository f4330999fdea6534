"""From what pydantic says of a value to sentences with the place in the file and the way out."""

from __future__ import annotations

import difflib
from datetime import date
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from mlops_ray.config.secret_formats import shown
from mlops_ray.errors import ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic_core import ErrorDetails

    from mlops_ray.config.yaml_text import YamlDocument

__all__ = ["mistakes", "nearest"]

_Path = tuple[str | int, ...]


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


def mistakes(
    details: Sequence[ErrorDetails],
    document: YamlDocument,
    model: type[BaseModel],
    at: _Path = (),
) -> list[ConfigProblem]:
    """One problem a mistake: a union complains once for each of its members.

    Args:
        details: Of a `pydantic.ValidationError`.
        document: The file.
        model: What was validated.
        at: Where in the file its value stands.
    """
    value: Any = document.value
    for part in at:
        value = value[part]
    merged: dict[tuple[_Path, str, str], ConfigProblem] = {}
    for detail in details:
        path = _path_in_file(detail["loc"], value)
        problem = _problem(detail, document, model, at, path)
        key = (path, problem.what, problem.got)
        known = merged.get(key)
        if known and known.wanted != problem.wanted:
            problem = known._replace(wanted=f"{known.wanted} or {problem.wanted}")
        merged[key] = problem
    return list(merged.values())


def _problem(
    detail: ErrorDetails, document: YamlDocument, model: type[BaseModel], at: _Path, path: _Path
) -> ConfigProblem:
    where = document.where((*at, *path))
    kind, message = detail["type"], detail["msg"]
    if kind == "extra_forbidden":
        name = path[-1] if path else detail["loc"][-1]
        hint = nearest(str(name), _fields_at(model, path[:-1]))
        return ConfigProblem(f"unknown key {name!r}", hint=hint, where=where)
    if kind == "missing":
        key = ".".join(map(str, (*at, *detail["loc"]))) if at else where.key
        return ConfigProblem("required key is missing", hint=f"add {key!r}", where=where)
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


def _fields_at(model: type[BaseModel], path: _Path) -> set[str]:
    """Names that the models know at a path; empty where any name is allowed."""
    candidates: list[Any] = [model]
    is_named = False  # Whether the next part is a name of the user's, such as that of a column.
    for part in path:
        if is_named:
            is_named = False
            continue
        is_named = any(_is_mapping(item, part) for item in candidates)
        candidates = [child for item in candidates for child in _children(item, part)]
    return {field.alias or name for item in candidates for name, field in item.model_fields.items()}


def _children(model: type[BaseModel], part: str | int) -> Iterator[type[BaseModel]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if isinstance(part, int):
        yield model  # The item of a list: the models were already found at the list's own key.
    elif part in fields:
        yield from _models_in(fields[part].annotation)


def _is_mapping(model: type[BaseModel], part: str | int) -> bool:
    field = model.model_fields.get(str(part))
    return field is not None and get_origin(field.annotation) is dict


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a typing form
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
