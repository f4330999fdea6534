"""A family of the project's own, of the captured code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE, Aspect, Guidance, taken_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Fitted, Training

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

    def check_params(self, params: Mapping[str, object], task: Task | None = None) -> list[str]:
        """Mistakes in parameters; see `estimator.Family.check_params`."""
        return list(self._family.check_params(params, task))

    def resolve_params(self, params: Mapping[str, object], task: Task) -> dict[str, object]:
        """Parameters with defaults; see `estimator.Family.resolve_params`."""
        return self._family.resolve_params(params, task)

    def fit(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        params: Mapping[str, object],
        *,
        task: Task,
        n_classes: int,
        seed: int,
        threads: int,
    ) -> Fitted:
        """Fit; see `estimator.Family.fit`."""
        options: dict[str, Any] = {"task": task, "n_classes": n_classes, "threads": threads}
        return self._family.fit(X, y, params, seed=seed, **options)

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

    def from_files(self, files: Mapping[str, bytes], *, task: Task, n_classes: int) -> Fitted:
        """Load; see `estimator.Family.from_files`."""
        return self._family.from_files(files, task=task, n_classes=n_classes)
