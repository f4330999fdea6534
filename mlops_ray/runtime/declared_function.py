"""Functions that a project declares, each with the version that a pipeline file has to name."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_ray.errors import ModelError
from mlops_ray.runtime.loaded_source import note_source

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FunctionKind"]

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class FunctionKind:
    """What such functions are for.

    Attributes:
        attribute: Where a function of this kind carries its version.
        absent: What is wrong where there is none; ``{}`` stands for its name.
        differs: What is wrong where it has another version.
        hint: The way out of both.

    Example:
        >>> greeting = FunctionKind("greeting_version", "no {}", "another {}", "import it")
        >>> @greeting.mark(version=2)
        ... def hello():
        ...     return "hello"
        >>> hello.greeting_version
        2
    """

    attribute: str
    absent: str
    differs: str
    hint: str

    def mark(self, version: int) -> Callable[[F], F]:
        """Decorate a function at the top of a module of the project."""

        def decorate(function: F) -> F:
            note_source(sys.modules.get(function.__module__))
            setattr(function, self.attribute, version)
            return function

        return decorate

    def load(self, name: str, version: int) -> Any:  # noqa: ANN401 - the kind's protocol is known to its own module
        """The function that a record names.

        Args:
            name: ``module:function``.
            version: The one that was declared.

        Raises:
            ModelError: It cannot be imported here, or has another version.
        """
        module, _, attribute = name.partition(":")
        wanted = f"version {version}"
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            what = self.absent.format(repr(name))
            raise ModelError(what, str(error), wanted, self.hint) from error
        got = getattr(found, self.attribute, None)
        if got != version:
            what = self.differs.format(repr(name))
            raise ModelError(what, f"version {got}", wanted, self.hint)
        return found
