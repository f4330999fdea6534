"""From a step as it was written to the step that it is, or to what is wrong with it and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from mlops_ray.config.feature_steps import StepDeclaration
from mlops_ray.config.mistakes import mistakes, nearest
from mlops_ray.errors import ConfigError, ConfigProblem, Where
from mlops_ray.features.steps import DECLARABLE, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.yaml_text import YamlDocument
    from mlops_ray.features.steps.step import Step

__all__ = ["read_step", "step_problems"]

_NAMED: Final = "give its options by name, as in {impute: {strategy: mean}}"


def read_step(declared: StepDeclaration, key: str = "") -> Step:
    """The step with all defaults.

    Args:
        declared: As written.
        key: Dotted key of the step, for messages.

    Raises:
        ConfigError: There is no such step, or an option cannot be used.

    Example:
        >>> read_step(StepDeclaration.model_validate("standardize"))
        Standardize(step='standardize')
    """
    name, where = declared.step, Where(key=key)
    if name not in DECLARABLE:
        raise ConfigError(f"unknown step {name!r}", hint=nearest(name, DECLARABLE), where=where)
    if _is_bare(declared):
        raise ConfigError(f"step {name!r} takes no bare value", hint=_NAMED, where=where)
    try:
        return STEPS[name].model_validate(_options(declared))
    except ValidationError as error:
        detail = error.errors()[0]
        option = ".".join(map(str, detail["loc"]))
        message = detail["msg"].removeprefix("Value error, ")
        what = f"step {name!r}{f', {option}' if option else ''}: {message}"
        raise ConfigError(what, where=where) from None


def step_problems(document: YamlDocument) -> Iterator[ConfigProblem]:
    """Mistakes in the steps of a pipeline file, whatever else is wrong with it."""
    groups = document.value.get("features")
    for at, group in enumerate(groups if isinstance(groups, list) else ()):
        steps = group.get("steps") if isinstance(group, dict) else None
        for number, raw in enumerate(steps if isinstance(steps, list) else ()):
            path = ("features", at, "steps", number)
            try:
                declared = StepDeclaration.model_validate(raw)
            except ValidationError:
                continue  # The loader tells.
            yield from _problems(declared, raw, document, path)


def _problems(
    declared: StepDeclaration, raw: object, document: YamlDocument, path: tuple[str | int, ...]
) -> Iterator[ConfigProblem]:
    name = declared.step
    if name not in DECLARABLE:
        hint = nearest(name, DECLARABLE)
        yield ConfigProblem(f"unknown step {name!r}", hint=hint, where=document.where(path))
        return
    if _is_bare(declared):
        what = f"step {name!r} takes no bare value"
        yield ConfigProblem(what, hint=_NAMED, where=document.where(path))
        return
    options = isinstance(raw, dict) and "step" not in raw
    at = (*path, name) if options else path
    try:
        STEPS[name].model_validate(_options(declared))
    except ValidationError as error:
        yield from mistakes(error.errors(), document, STEPS[name], at)


def _options(declared: StepDeclaration) -> dict[str, Any]:
    """Options by name; a bare value stands for the step's main option."""
    options = declared.options
    if options is None:
        return {}
    if isinstance(options, dict):
        return options
    return {STEPS[declared.step].short: options}


def _is_bare(declared: StepDeclaration) -> bool:
    """Whether a value stands for an option, and the step has none that it could stand for."""
    by_name = declared.options is None or isinstance(declared.options, dict)
    return not by_name and not STEPS[declared.step].short
