"""expression: a formula over columns, in Python's own syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from mlops_ray.errors import ConfigError
from mlops_ray.features.formula import parse_formula
from mlops_ray.features.steps.step import Fitted, JointStep, Kernel, Policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Expression"]


class Expression(JointStep):
    """A number calculated from the group's columns, such as ``log1p(income) / household``.

    Attributes:
        name: The feature's name.
        formula: See `mlops_ray.features.formula`.
        out_of_range: Whether a result that does not exist is an error or a null.
    """

    policies: ClassVar[Policies] = Policies(
        null="null, unless `where`, `is_null` or `fill` looks at it",
        out_of_range="`error` or `null`, such as of 1/0",
        empty="allowed",
    )

    step: Literal["expression"] = "expression"
    name: str = Field(min_length=1)
    formula: str = Field(min_length=1, max_length=2000)
    out_of_range: Literal["error", "null"] = "error"

    @property
    def named(self) -> str:
        """The declared name."""
        return self.name

    @field_validator("formula")
    @classmethod
    def _parses(cls, value: str) -> str:
        try:
            parse_formula(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value

    def fit(self, names: Sequence[str]) -> Fitted:
        """Nothing to fit; the names of the formula have to be columns of the group."""
        used = set(parse_formula(self.formula).columns)
        unknown = sorted(used - set(names))
        if unknown:
            what = f"the formula names {unknown[0]!r}, which is no column of its group"
            hint = "add it to 'columns'"
            raise self.refuse(what, self.formula, ", ".join(names), hint, names[0])
        unused = [name for name in names if name not in used]
        if unused:
            what = f"column {unused[0]!r} is not in the formula"
            raise self.refuse(what, self.formula, "", "take it out of 'columns'", unused[0])
        return {"name": self.name, "formula": self.formula, "out_of_range": self.out_of_range}

    @classmethod
    def names(cls, names: Sequence[str], fitted: Fitted) -> list[str]:  # noqa: ARG003
        """The declared name."""
        return [fitted["name"]]

    @classmethod
    def kernel(cls, names: Sequence[str], fitted: Fitted) -> Kernel:
        """The formula, row by row of the block a column."""
        parsed = parse_formula(fitted["formula"])

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return parsed.evaluate(dict(zip(names, values, strict=True)))

        return run
