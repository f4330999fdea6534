"""robust: median 0 and quantile range 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from mlops_ray.features.steps.standardize import Standardize
from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.features.statistics import Numbers

__all__ = ["Robust"]


class Robust(NumberStep):
    """Subtract the median and divide by the distance of two quantiles, or by 1 if that is 0.

    Attributes:
        low: The lower quantile.
        high: The upper one.
        exact: Whether they are exact, for one further pass, or read off the profile.
    """

    policies: ClassVar[Policies] = Policies(null="stays null", out_of_range="kept")

    step: Literal["robust"] = "robust"
    low: float = Field(default=0.25, ge=0, lt=1)
    high: float = Field(default=0.75, gt=0, le=1)
    exact: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Robust:
        if self.low >= self.high:
            msg = f"low ({self.low:g}) must be below high ({self.high:g})"
            raise ValueError(msg)
        return self

    @property
    def needs_statistics(self) -> bool:
        """Always."""
        return True

    @property
    def exact_quantiles(self) -> tuple[float, ...]:
        """All three."""
        return (self.low, 0.5, self.high) if self.exact else ()

    def fit(self, found: Numbers) -> Fitted:
        """Median and distance."""
        found.present()
        distance = found.quantile(self.high) - found.quantile(self.low)
        return {"offset": found.quantile(0.5), "scale": distance or 1.0}

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """``(value - offset) / scale``."""
        return Standardize.kernel(fitted)
