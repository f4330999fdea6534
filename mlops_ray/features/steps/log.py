"""log: logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np

from mlops_ray.features import elementary
from mlops_ray.features.steps.step import Fitted, Kernel, NumberStep, Policies

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.statistics import Numbers

__all__ = ["Log", "undefined_is_null"]

_FUNCTIONS: Final[dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "log1p": elementary.log1p,
    "log": elementary.log,
    "log2": elementary.log2,
    "log10": elementary.log10,
}


def undefined_is_null(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN in place of infinities: a result that does not exist."""
    return np.where(np.isinf(values), np.nan, values)


class Log(NumberStep):
    """The logarithm of a value, or of one more.

    Attributes:
        function: Which.
        out_of_range: Whether a value without logarithm is an error or a null.
    """

    short: ClassVar[str] = "function"
    policies: ClassVar[Policies] = Policies(
        null="stays null", out_of_range="`error` or `null`", empty="allowed"
    )

    step: Literal["log"] = "log"
    function: Literal["log1p", "log", "log2", "log10"] = "log1p"
    out_of_range: Literal["error", "null"] = "error"

    def fit(self, found: Numbers) -> Fitted:  # noqa: ARG002
        """Nothing to fit."""
        return {"function": self.function, "out_of_range": self.out_of_range}

    @classmethod
    def batch_key(cls, fitted: Fitted) -> Hashable:
        """The function."""
        return str(fitted["function"])

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """The function of each value."""
        function = _FUNCTIONS[fitted[0]["function"]]
        return lambda values: undefined_is_null(function(values))
