"""clip: bounds on a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies, column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.statistics import Numbers

__all__ = ["Clip"]


class Clip(NumberStep):
    """Move values beyond a bound to the bound.

    Attributes:
        low: Lower bound; none for no bound.
        high: Upper bound; none for no bound.
        quantiles: In place of both, two quantiles of the training rows.
        exact: Whether they are exact, for one further pass, or read off the profile.
    """

    short: ClassVar[str] = "bounds"
    policies: ClassVar[Policies] = Policies(
        null="stays null", out_of_range="moved to the bound", empty="error for quantiles"
    )

    step: Literal["clip"] = "clip"
    low: float | None = None
    high: float | None = None
    quantiles: tuple[float, float] | None = Field(default=None, strict=False)
    exact: bool = True

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, given: Any) -> Any:  # noqa: ANN401 - raw YAML
        bare = given.get("bounds") if isinstance(given, dict) else None
        if isinstance(bare, list) and len(bare) == 2:
            return {"step": "clip", "low": bare[0], "high": bare[1]}
        if bare is not None:
            msg = "give [low, high], or options by name, as in {clip: {low: 0}}"
            raise ValueError(msg)
        return given

    @model_validator(mode="after")
    def _bounds_fit(self) -> Clip:
        bounds = self.quantiles or (self.low, self.high)
        if (self.quantiles is None) == (self.low is None and self.high is None):
            msg = "give 'low' or 'high' or both, or 'quantiles'"
            raise ValueError(msg)
        if self.quantiles and not 0 <= bounds[0] <= bounds[1] <= 1:  # type: ignore[operator]
            msg = f"quantiles {list(bounds)} must rise between 0 and 1"
            raise ValueError(msg)
        if None not in bounds and bounds[0] > bounds[1]:  # type: ignore[operator]
            msg = f"low ({bounds[0]:g}) is above high ({bounds[1]:g})"
            raise ValueError(msg)
        return self

    @property
    def needs_statistics(self) -> bool:
        """For quantiles."""
        return self.quantiles is not None

    @property
    def exact_quantiles(self) -> tuple[float, ...]:
        """Both bounds."""
        return self.quantiles if self.quantiles and self.exact else ()

    def fit(self, found: Numbers) -> Fitted:
        """The bounds; null for none."""
        if self.quantiles is None:
            return {"low": self.low, "high": self.high}
        found.present()
        low, high = (found.quantile(q) for q in self.quantiles)
        return {"low": low, "high": high}

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """``min(max(value, low), high)``."""
        low = column([_bound(item, "low", -np.inf) for item in fitted], "low")
        high = column([_bound(item, "high", np.inf) for item in fitted], "high")

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.minimum(np.maximum(values, low), high)

        return run


def _bound(fitted: Fitted, name: str, default: float) -> Fitted:
    return {name: default if fitted[name] is None else fitted[name]}
