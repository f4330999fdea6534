"""function: a function of the project's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mlops_ray.features.functions import called, load_function
from mlops_ray.features.steps.step import Fitted, JointStep, Kernel, Policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Function"]


class Function(JointStep):
    """Numbers that a function of the project makes of the group's columns.

    Attributes:
        name: ``module:function``, decorated with `mlops_ray.feature_function`.
        version: The function's own; another one is refused, so raise it with every change.
        outputs: Names of what it makes.
        out_of_range: Whether NaN in its answer to a row without nulls is an error or a null.
    """

    policies: ClassVar[Policies] = Policies(
        null="given to the function as NaN",
        out_of_range="`error` or `null` where it answers NaN",
        empty="allowed",
    )

    step: Literal["function"] = "function"
    name: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
    version: int = Field(ge=1)
    outputs: list[str] = Field(min_length=1)
    out_of_range: Literal["error", "null"] = "error"

    @property
    def named(self) -> str:
        """The first output."""
        return self.outputs[0]

    def fit(self, names: Sequence[str]) -> Fitted:  # noqa: ARG002
        """Nothing to fit."""
        return self.model_dump(exclude={"step"})

    @classmethod
    def names(cls, names: Sequence[str], fitted: Fitted) -> list[str]:  # noqa: ARG003
        """The declared outputs."""
        return list(fitted["outputs"])

    @classmethod
    def kernel(cls, names: Sequence[str], fitted: Fitted) -> Kernel:  # noqa: ARG003
        """The function itself."""
        name, outputs = fitted["name"], list(fitted["outputs"])
        function = load_function(name, fitted["version"])

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return called(function, name, outputs, values)

        return run
