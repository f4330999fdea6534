"""Loads a pipeline file: every mistake at once, each with file, line, column and dotted key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from mlops_ray.config.consistency import contradictions
from mlops_ray.config.declared_secrets import check_document, check_overrides
from mlops_ray.config.mistakes import mistakes, nearest
from mlops_ray.config.model import PipelineConfig
from mlops_ray.config.yaml_text import YamlDocument, read_yaml
from mlops_ray.errors import ConfigProblem, InvalidConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

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
    steps: Callable[[YamlDocument], Iterable[ConfigProblem]] = lambda _: (),
) -> LoadedConfig:
    """Load and validate a pipeline file.

    Args:
        path: The file.
        overrides: ``dotted.key=value`` texts, the value read as YAML; they win over the file.
        further: Finds mistakes that this package cannot know, such as an estimator's parameters;
            they are reported together with the contradictions found here.
        steps: Finds mistakes in the steps of features, which this package does not know either;
            they are reported together with all others.

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
        problems = [*mistakes(error.errors(), document, PipelineConfig), *steps(document)]
        raise InvalidConfigError(tuple(sorted(problems, key=lambda p: p.where))) from None
    loaded = LoadedConfig(config, path, document, tuple(overrides))
    conflicts = [
        ConfigProblem(what, hint=hint, where=document.where(place))
        for place, what, hint in contradictions(config)
    ]
    conflicts += [*steps(document), *further(loaded)]
    if conflicts:
        raise InvalidConfigError(tuple(sorted(conflicts, key=lambda p: p.where)))
    return loaded


def _leaves(value: Any, path: _Path, *, is_given: bool) -> Iterator[tuple[_Path, bool]]:  # noqa: ANN401 - any value
    """Paths of the plain values, and whether somebody gave them; a short form gives what it means.

    Models remember which of their fields were given, so a default is told from an equal value.
    """
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if field.exclude_if is not None and field.exclude_if(getattr(value, name)):
                continue  # As if there were no such field.
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
