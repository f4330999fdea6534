"""What a pipeline file may say of a hyperparameter: its set of values and how they are drawn."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from mlops_ray.config.secret_formats import shown

__all__ = ["Dimension"]

Kind = Literal["int", "uniform", "log_uniform", "choice"]
_KINDS: tuple[Kind, ...] = ("int", "uniform", "log_uniform", "choice")


class Dimension(BaseModel):
    """One dimension of a search space; in YAML a single pair such as ``{int: [3, 9]}``.

    Attributes:
        kind: ``int`` and ``uniform`` draw evenly, ``log_uniform`` evenly in the logarithm, all
            with both bounds included; ``choice`` draws one of the values.
        values: ``[low, high]``, or the choices in their order.

    Example:
        >>> Dimension.model_validate({"int": [3, 9]})
        Dimension(kind='int', values=[3, 9])
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    kind: Kind
    values: list[int | float | str | bool | None]

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(value, dict) and len(value) == 1 and "kind" not in value:
            ((kind, values),) = value.items()
            if kind not in _KINDS:
                msg = f"unknown kind {shown(kind)}; known kinds: {', '.join(_KINDS)}"
                raise ValueError(msg)
            return {"kind": kind, "values": values}
        return value

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.kind == "choice":
            if not self.values:
                msg = "a choice needs at least one value"
                raise ValueError(msg)
            return self
        _check_bounds(self.kind, self.values)
        return self


def _check_bounds(kind: Kind, values: list[Any]) -> None:
    if len(values) != 2:
        msg = f"{kind} needs [low, high], got {len(values)} values"
        raise ValueError(msg)
    wanted: tuple[type, ...] = (int,) if kind == "int" else (int, float)
    if any(isinstance(v, bool) or not isinstance(v, wanted) for v in values):
        got = ", ".join(type(value).__name__ for value in values)
        msg = f"{kind} needs two {'integers' if kind == 'int' else 'numbers'}, got {got}"
        raise ValueError(msg)
    low, high = values
    if not low <= high or not math.isfinite(high - low):
        msg = f"low ({low}) is above high ({high})"
        raise ValueError(msg)
    if kind == "log_uniform" and low <= 0:
        msg = f"log_uniform needs low > 0, got {low}"
        raise ValueError(msg)
