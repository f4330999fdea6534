"""standardize: mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies, column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.features.statistics import Numbers

__all__ = ["Standardize"]


class Standardize(NumberStep):
    """Subtract the training mean and divide by the training standard deviation, or 1 if it is 0."""

    policies: ClassVar[Policies] = Policies(null="stays null", out_of_range="kept")

    step: Literal["standardize"] = "standardize"

    @property
    def needs_statistics(self) -> bool:
        """Always."""
        return True

    def fit(self, found: Numbers) -> Fitted:
        """Mean and deviation, each rounded once."""
        found.present()
        return {"offset": found.mean, "scale": found.deviation or 1.0}

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """``(value - offset) / scale``."""
        offset, scale = column(fitted, "offset"), column(fitted, "scale")
        return lambda values: (values - offset) / scale
