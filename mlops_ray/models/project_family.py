"""A family of the project's own, of the captured code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE, Aspect, Guidance, taken_by

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Training

__all__ = ["ProjectFamily"]

_MEMBERS: Final = (
    "tasks",
    "platform",
    "accepts_missing",
    "rounds",
    "check_params",
    "resolve_params",
    "fit",
    "prepare",
    "from_files",
)


class ProjectFamily:
    """A class that follows `models.estimator.Family`, under the name of its place.

    The name is what a signature needs to find the class again; whatever the class calls itself has
    no say.

    Args:
        name: ``module:Class``; the class is made without arguments.

    Raises:
        ModelError: There is no such class, or it lacks a member of a family.
    """

    def __init__(self, name: str) -> None:
        module, _, attribute = name.partition(":")
        hint = "write a class that follows mlops_ray.models.estimator.Family, and start from there"
        try:
            family: Family = getattr(import_module(module), attribute)()
        except (ImportError, AttributeError, TypeError) as error:
            raise ModelError(f"there is no model family {name!r}", str(error), hint=hint) from error
        missing = [member for member in _MEMBERS if not hasattr(family, member)]
        if missing:
            raise ModelError(
                f"{name!r} is no model family", f"no {', no '.join(missing)}", hint=hint
            )
        self._family = family
        self.name = name
        self.tasks: tuple[Task, ...] = tuple(family.tasks)
        self.platform: str = family.platform
        self.accepts_missing: bool = family.accepts_missing
        self.rounds: str | None = family.rounds
        self.takes: frozenset[Aspect] = frozenset(taken_by(family))
        # Only `prepare` may be called in a way that the class does not know.
        self.check_params = family.check_params
        self.resolve_params = family.resolve_params
        self.fit = family.fit
        self.from_files = family.from_files

    def prepare(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        *,
        task: Task,
        n_classes: int,
        threads: int,
        guidance: Guidance = NO_GUIDANCE,
    ) -> Training:
        """Make rows ready; a class that takes no guidance is given none."""
        options: dict[str, Any] = {"task": task, "n_classes": n_classes, "threads": threads}
        if guidance.aspects:
            options["guidance"] = guidance
        return self._family.prepare(X, y, **options)
