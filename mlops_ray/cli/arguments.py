"""Refuses a secret on the command line, which the system and Ray show to others.

Every user of the machine can list it, a shell keeps it, and Ray records it as a job's entry point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.config.secret_formats import spans
from mlops_ray.errors import ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["check_arguments"]

_OVERRIDE: Final = "--set"


def check_arguments(arguments: Sequence[str]) -> None:
    """Look for secrets among the arguments; those of ``--set`` are looked at with their keys later.

    Raises:
        ConfigError: One looks like a secret; its option and kind are named, never the secret.

    Example:
        >>> check_arguments(["run", "p.yaml", "--address", "ray://user:" + "pw@head:10001"])
        Traceback (most recent call last):
        mlops_ray.errors.ConfigError: --address: an argument seems to hold a secret: ...
    """
    for option, value in _values(arguments):
        found = next(spans(value.lstrip("-")), None)
        if found is not None and option != _OVERRIDE:
            raise ConfigError(
                "an argument seems to hold a secret",
                found.kind,
                hint="remove it; what needs it takes it from the environment. Others may have "
                "seen it already, so replace it",
                where=Where(option),
            )


def _values(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each argument with the option that it belongs to, if there is one."""
    before = ""
    for argument in arguments:
        name, sign, value = argument.partition("=")
        is_option = argument.startswith("-")
        if is_option and sign and not next(spans(name.lstrip("-")), None):
            yield name, value
        else:
            yield "" if is_option else before, argument
        before = argument if is_option else ""
