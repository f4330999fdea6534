"""How a model version is named: ``churn@champion``, ``churn@7`` or just ``churn``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mlops_ray.errors import ConfigError

__all__ = ["CHAMPION", "ModelReference", "check_alias", "check_model_name", "parse_reference"]

CHAMPION: Final = "champion"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ALIAS: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}")  # No digit first: "m@7" is version 7.
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A name that the registry resolves to one version.

    Attributes:
        model: Name of the model.
        version: The version asked for, counted from 1; None where an alias is asked for.
        alias: The alias asked for; None where a version is asked for.
    """

    model: str
    version: int | None
    alias: str | None

    def __str__(self) -> str:
        return f"{self.model}@{self.version or self.alias}"


def parse_reference(text: str) -> ModelReference:
    """Read ``MODEL``, ``MODEL@ALIAS`` or ``MODEL@VERSION``; ``MODEL`` alone means the champion.

    Raises:
        ConfigError: A part of the name breaks its pattern.

    Example:
        >>> parse_reference("churn@7").version
        7
        >>> str(parse_reference("churn"))
        'churn@champion'
    """
    model, at, target = text.partition("@")
    check_model_name(model)
    if not at:
        return ModelReference(model, None, CHAMPION)
    if _VERSION.fullmatch(target):
        return ModelReference(model, int(target), None)
    check_alias(target)
    return ModelReference(model, None, target)


def check_model_name(name: str) -> None:
    """Refuse a model name that is not lower case, short and plain.

    Raises:
        ConfigError: The name breaks the pattern.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "not a model name",
            repr(name[:80]),
            f"a match of {_NAME.pattern}",
            "name a version as MODEL, MODEL@ALIAS or MODEL@VERSION",
        )


def check_alias(alias: str) -> None:
    """Refuse an alias that is not lower case, short and plain, or that reads as a version.

    Raises:
        ConfigError: The alias breaks the pattern.
    """
    if not _ALIAS.fullmatch(alias):
        raise ConfigError(
            "not an alias or a version",
            repr(alias[:80]),
            f"a version such as 7, or an alias that matches {_ALIAS.pattern}",
        )
