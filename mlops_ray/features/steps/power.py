"""power: Yeo-Johnson, Box-Cox and square root."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from mlops_ray.features import elementary
from mlops_ray.features.steps.log import undefined_is_null
from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.statistics import Numbers

__all__ = ["Power"]


class Power(NumberStep):
    """A power transform with a declared exponent; `standardize` is a step of its own.

    Source: I.-K. Yeo, R. A. Johnson, "A New Family of Power Transformations to Improve Normality or
    Symmetry", Biometrika 87, 2000; G. E. P. Box, D. R. Cox, "An Analysis of Transformations",
    J. R. Stat. Soc. B 26, 1964.

    Attributes:
        method: Which.
        lambda_: The exponent, ``lambda`` in a pipeline file; none for the square root.
        out_of_range: Whether a value that the method does not take is an error or a null.
    """

    short: ClassVar[str] = "method"
    policies: ClassVar[Policies] = Policies(
        null="stays null", out_of_range="`error` or `null`", empty="allowed"
    )

    step: Literal["power"] = "power"
    method: Literal["yeo_johnson", "box_cox", "sqrt"]
    lambda_: float | None = Field(default=None, alias="lambda", ge=-10, le=10)
    out_of_range: Literal["error", "null"] = "error"

    @model_validator(mode="after")
    def _exponent_fits(self) -> Power:
        if (self.lambda_ is None) != (self.method == "sqrt"):
            msg = "'lambda' belongs to the methods 'yeo_johnson' and 'box_cox', and they need it"
            raise ValueError(msg)
        return self

    def fit(self, found: Numbers) -> Fitted:  # noqa: ARG002
        """Nothing to fit."""
        fitted: Fitted = {"method": self.method, "out_of_range": self.out_of_range}
        return fitted if self.lambda_ is None else {**fitted, "lambda": self.lambda_}

    @classmethod
    def batch_key(cls, fitted: Fitted) -> Hashable:
        """Method and exponent."""
        return fitted["method"], fitted.get("lambda")

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """The transform of each value."""
        method, exponent = fitted[0]["method"], float(fitted[0].get("lambda", 0.0))
        if method == "sqrt":
            return elementary.sqrt
        if method == "box_cox":
            return lambda values: _box_cox(values, exponent)
        return lambda values: _yeo_johnson(values, exponent)


def _box_cox(values: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    positive = np.where(values > 0, values, np.nan)
    return undefined_is_null(_scaled_power(elementary.log(positive), exponent))


def _yeo_johnson(values: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    above = _scaled_power(elementary.log1p(np.maximum(values, 0.0)), exponent)
    below = _scaled_power(elementary.log1p(np.maximum(-values, 0.0)), 2.0 - exponent)
    return undefined_is_null(np.where(values >= 0, above, -below))


def _scaled_power(logs: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """``(x ** exponent - 1) / exponent`` from the logarithm of x; the logarithm itself at 0."""
    return elementary.expm1(exponent * logs) / exponent if exponent else logs
