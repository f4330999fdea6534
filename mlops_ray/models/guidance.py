"""What a fit is told beside rows and parameters: weights, roles of features, the device.

A family says what it takes in `takes`; families that take nothing need not know of guidance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.estimator import Device
    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Training

__all__ = ["NO_GUIDANCE", "Aspect", "Guidance", "check_weights", "guided", "taken_by"]

Aspect = Literal["weight", "monotone", "interactions", "categories", "device"]


@dataclass(frozen=True, slots=True)
class Guidance:
    """Guidance of one fit; features stand by their place in the matrix.

    Attributes:
        weights: How much each row counts, float64, shape ``(n_rows,)``; None where all count the
            same.
        monotone: 1, -1 or 0 for each feature: answers rise with it, fall with it, or are free.
            Empty where all are free.
        interactions: Groups of features that may meet on a path; empty where all may.
        categories: For each feature how many categories it has, 0 for a number. Empty where all are
            numbers.
        device: What fits.
    """

    weights: NDArray[np.float64] | None = None
    monotone: tuple[int, ...] = ()
    interactions: tuple[tuple[int, ...], ...] = ()
    categories: tuple[int, ...] = ()
    device: Device = "cpu"

    @property
    def aspects(self) -> frozenset[Aspect]:
        """What is asked for."""
        asked: dict[Aspect, bool] = {
            "weight": self.weights is not None,
            "monotone": any(self.monotone),
            "interactions": bool(self.interactions),
            "categories": any(self.categories),
            "device": self.device != "cpu",
        }
        return frozenset(aspect for aspect, is_asked in asked.items() if is_asked)


NO_GUIDANCE: Final = Guidance()


def taken_by(family: Family) -> frozenset[Aspect]:
    """What a family takes; nothing where it does not say."""
    found: frozenset[Aspect] = getattr(family, "takes", frozenset())
    return found


def guided(
    family: Family,
    X: NDArray[np.float32],
    y: NDArray[np.int32] | NDArray[np.float64],
    guidance: Guidance,
    *,
    task: Task,
    n_classes: int,
    threads: int,
) -> Training:
    """Make rows ready for fits under guidance; see `estimator.Family.prepare`.

    Raises:
        ModelError: The family does not take it, or the weights cannot be used.
    """
    options: dict[str, Any] = {"task": task, "n_classes": n_classes, "threads": threads}
    if not guidance.aspects:
        return family.prepare(X, y, **options)
    refused = sorted(guidance.aspects - taken_by(family))
    if refused:
        raise ModelError(f"{family.name} takes no {' and no '.join(refused)}")
    if guidance.weights is not None:
        check_weights(guidance.weights, y, n_classes)
    return cast("Training", cast("Any", family).prepare(X, y, guidance=guidance, **options))


def check_weights(
    weights: NDArray[np.float64], y: NDArray[np.int32] | NDArray[np.float64], n_classes: int
) -> None:
    """Refuse weights that no fit can use.

    Raises:
        ModelError: One is negative or not finite, they are too few or too many, or those of a class
            are all 0.
    """
    if weights.shape != y.shape:
        raise ModelError("a fit needs one weight a row", str(weights.shape), str(y.shape))
    n_bad = int((~(np.isfinite(weights) & (weights >= 0))).sum())
    if n_bad:
        raise ModelError("weights are finite and not negative", f"{n_bad} others", "none")
    counted = np.unique(y[weights > 0])
    if counted.size < max(n_classes, 1):
        hint = "give its rows a weight above 0, or drop them"
        what = "the weights of a class are all 0" if n_classes else "all weights are 0"
        raise ModelError(what, f"{counted.size} of {n_classes or 1}", hint=hint)
