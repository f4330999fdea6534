"""impute: a value in place of nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from mlops_ray.features.steps.step import (
    CategoryStep,
    Fitted,
    Kernel,
    Kind,
    NumberStep,
    Policies,
    column,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.statistics import Categories, Numbers, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["Impute", "IsNull"]


class Impute(NumberStep, CategoryStep):
    """Fill nulls with a statistic of the training rows or with a constant.

    Attributes:
        strategy: Which; ``mode`` is the commonest value, of equally common ones the smallest.
        value: The constant.
        indicator: Adds a number that is 1 where a null was.
        exact: Whether the median is exact, for one further pass, or read off the profile.
    """

    short: ClassVar[str] = "strategy"
    keeps_statistics: ClassVar[bool] = True
    only_fills: ClassVar[bool] = True
    policies: ClassVar[Policies] = Policies(
        null="filled", unseen="kept", empty="error; a constant needs no value"
    )

    step: Literal["impute"] = "impute"
    strategy: Literal["mean", "median", "mode", "constant"] = "mean"
    value: float | str | None = None
    indicator: bool = False
    exact: bool = True

    @model_validator(mode="before")
    @classmethod
    def _constant_where_a_value_stands(cls, given: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(given, dict) and "value" in given and "strategy" not in given:
            return {**given, "strategy": "constant"}
        return given

    @model_validator(mode="after")
    def _value_fits(self) -> Impute:
        if (self.strategy == "constant") != (self.value is not None):
            msg = "'value' belongs to strategy 'constant', and to that alone"
            raise ValueError(msg)
        return self

    def gives(self, kind: Kind) -> Kind | None:
        """What comes in: numbers, or categories where the strategy makes sense for them."""
        if kind == "number":
            return None if isinstance(self.value, str) else kind
        fits = self.strategy in {"mode", "constant"} and not self.indicator
        return kind if kind == "category" and fits else None

    def unsuited(self, dtype: LogicalType) -> str:
        """A number is no text and no boolean, and a category of integers is whole."""
        if not isinstance(self.value, float) or (dtype == "integer" and self.value.is_integer()):
            return ""
        return f"the value {self.value:g} is no {dtype}"

    @property
    def needs_statistics(self) -> bool:
        """Unless the fill is declared."""
        return self.strategy != "constant"

    @property
    def exact_quantiles(self) -> tuple[float, ...]:
        """The median."""
        return (0.5,) if self.strategy == "median" and self.exact else ()

    def fit(self, found: Numbers) -> Fitted:
        """The fill."""
        return {"fill": self._fill(found), "indicator": self.indicator}

    def _fill(self, found: Numbers) -> float:
        if isinstance(self.value, int | float):
            return float(self.value)
        found.present()
        if self.strategy == "mode":
            if found.mode is None:
                got = "fractions, or too many distinct values"
                hint = "take the median, or cast the column to integers"
                raise self.refuse("the commonest value is not known", got, "", hint, found.name)
            return found.mode
        return found.mean if self.strategy == "mean" else found.quantile(0.5)

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:  # noqa: ARG002
        """The fill of a category column."""
        if self.value is not None:
            whole = isinstance(self.value, float) and all(type(v) is int for v in found.counts)
            fill: Value = int(self.value) if whole else self.value  # type: ignore[assignment]
        elif found.counts:
            fill = max(found.counts, key=lambda value: found.counts[value])  # The first of equals.
        else:
            got = f"{found.n_null} nulls in {found.n_rows} rows"
            raise self.refuse("there is no commonest category", got, "", "", found.name)
        return {"fill": fill, "categories": list(dict.fromkeys([*found.counts, fill]))}

    def after(self, found: Numbers, fitted: Fitted) -> Numbers | None:
        """The fill counts as often as there were nulls."""
        return found.filled(fitted["fill"])

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:  # noqa: ARG003
        """Null becomes the fill; all else, also an unseen category, stays."""
        return lambda value: fitted["fill"] if value is None else value

    @classmethod
    def beside(cls, name: str, fitted: Fitted) -> list[tuple[str, str, Fitted]]:
        """The indicator."""
        return [(f"{name} is null", "is_null", {})] if fitted["indicator"] else []

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """The fill where a value is NaN."""
        fill = column(fitted, "fill")
        return lambda values: np.where(np.isnan(values), fill, values)


class IsNull(NumberStep):
    """1 where a value is missing, else 0: the indicator of `Impute`, not to be declared."""

    policies: ClassVar[Policies] = Policies(null="is 1")

    step: Literal["is_null"] = "is_null"

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:  # noqa: ARG003
        """Whether each value is NaN."""

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.isnan(values).astype(np.float64)

        return run
