"""min_max: the training rows' range to a range of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies, column

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.statistics import Numbers

__all__ = ["MinMax"]


class MinMax(NumberStep):
    """Move minimum and maximum of the training rows to `low` and `high`; a constant goes to `low`.

    Attributes:
        low: Where the minimum goes.
        high: Where the maximum goes.
        out_of_range: Whether later values beyond them are kept, or clipped to `low` and `high`.
    """

    short: ClassVar[str] = "out_of_range"
    policies: ClassVar[Policies] = Policies(null="stays null", out_of_range="kept, or `clip`")

    step: Literal["min_max"] = "min_max"
    low: float = 0.0
    high: float = 1.0
    out_of_range: Literal["keep", "clip"] = "keep"

    @model_validator(mode="after")
    def _ordered(self) -> MinMax:
        if self.low >= self.high:
            msg = f"low ({self.low:g}) must be below high ({self.high:g})"
            raise ValueError(msg)
        return self

    @property
    def needs_statistics(self) -> bool:
        """Always."""
        return True

    def fit(self, found: Numbers) -> Fitted:
        """The range seen."""
        found.present()
        minimum, maximum = found.minimum or 0.0, found.maximum or 0.0
        return {
            "minimum": minimum,
            "scale": (maximum - minimum) / (self.high - self.low) or 1.0,
            "low": self.low,
            "high": self.high,
            "clip": self.out_of_range == "clip",
        }

    @classmethod
    def batch_key(cls, fitted: Fitted) -> Hashable:
        """Whether values are clipped."""
        return bool(fitted["clip"])

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """``(value - minimum) / scale + low``."""
        names = ("minimum", "scale", "low", "high")
        minimum, scale, low, high = (column(fitted, name) for name in names)
        clips = bool(fitted[0]["clip"])

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            moved = (values - minimum) / scale + low
            return np.minimum(np.maximum(moved, low), high) if clips else moved

        return run
