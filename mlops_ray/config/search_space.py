"""What a pipeline file may say of a hyperparameter: its set of values and how they are drawn."""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlops_ray.config.secret_formats import shown

__all__ = ["Dimension", "Kind", "Value"]

Kind = Literal["int", "uniform", "log_uniform", "choice"]
_KINDS: tuple[Kind, ...] = ("int", "uniform", "log_uniform", "choice")
_BESIDE: Final = frozenset({"step", "when"})
_EXACT: Final = 2**53  # From here on JSON has no whole numbers, and a share cannot tell them apart.
Value = int | float | str | bool | None


class Dimension(BaseModel):
    """One dimension of a search space; in YAML a pair such as ``{int: [3, 9]}``.

    Attributes:
        kind: ``int`` and ``uniform`` draw evenly, ``log_uniform`` evenly in the logarithm, all
            with both bounds included; ``choice`` draws one of the values.
        values: ``[low, high]``, or the choices in their order.
        step: Only ``low``, ``low + step``, ... are drawn; for ``int`` and ``uniform``.
        when: Dimensions of kind ``choice`` and those of their values with which this one has a part
            in a trial; always where it is absent.

    Example:
        >>> Dimension.model_validate({"int": [3, 9]})
        Dimension(kind='int', values=[3, 9], step=None, when=None)
        >>> tenths = Dimension.model_validate({"uniform": [0.1, 0.3], "step": 0.1})
        >>> [tenths.level(k) for k in range(tenths.n_levels)]
        [0.1, 0.2, 0.3]
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    kind: Kind
    values: list[Value]
    step: int | float | None = Field(default=None, exclude_if=partial(operator.is_, None))
    when: dict[str, list[Value]] | None = Field(
        default=None, exclude_if=partial(operator.is_, None)
    )

    @property
    def n_levels(self) -> int | None:
        """How many values there are; None where there is no end of them."""
        if self.kind == "choice":
            return len(self.values)
        if self.kind == "int" or self.step is not None:
            low, high, step = self._decimals
            return int((high - low) // step) + 1
        return None

    def level(self, k: int) -> Any:  # noqa: ANN401 - a choice
        """The `k`-th of finitely many values, counted from 0."""
        if self.kind == "choice":
            return self.values[k]
        low, _, step = self._decimals
        value = low + k * step  # In decimals: 0.1 and twice 0.1 are 0.3.
        return int(value) if self.kind == "int" else float(value)

    @property
    def _decimals(self) -> tuple[Decimal, Decimal, Decimal]:
        low, high = (Decimal(str(value)) for value in self.values)
        return low, high, Decimal(str(self.step or 1))

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:  # noqa: ANN401 - raw YAML
        if not isinstance(value, dict) or "kind" in value:
            return value
        pairs = [(key, item) for key, item in value.items() if key not in _BESIDE]
        if len(pairs) != 1:
            got = " and ".join(shown(key) for key, _ in pairs) or "none"
            msg = f"exactly one kind of values is wanted ({', '.join(_KINDS)}), got {got}"
            raise ValueError(msg)
        ((kind, values),) = pairs
        if kind not in _KINDS:
            msg = f"unknown kind {shown(kind)}; known kinds: {', '.join(_KINDS)}"
            raise ValueError(msg)
        beside = {key: item for key, item in value.items() if key in _BESIDE}
        return {"kind": kind, "values": values, **beside}

    @field_validator("when", mode="before")
    @classmethod
    def _list_single_values(cls, when: Any) -> Any:  # noqa: ANN401 - raw YAML
        if not isinstance(when, dict):
            return when
        return {name: v if isinstance(v, list) else [v] for name, v in when.items()}

    @field_validator("values")
    @classmethod
    def _large_ones_are_real(cls, values: list[Value]) -> list[Value]:
        # A spec writes 1e18 by its digits, and so reads it as a whole number.
        return [_real(v) if isinstance(v, int) and abs(v) >= _EXACT else v for v in values]

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.kind == "choice":
            if not self.values:
                msg = "a choice needs at least one value"
                raise ValueError(msg)
        else:
            _check_bounds(self.kind, self.values)
        if self.step is not None:
            _check_step(self.kind, self.values, self.step)
        return self


def _real(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        msg = "a number is larger than any that can be drawn"
        raise ValueError(msg) from None


def _check_bounds(kind: Kind, values: list[Any]) -> None:
    if len(values) != 2:
        msg = f"{kind} needs [low, high], got {len(values)} values"
        raise ValueError(msg)
    if kind == "int" and any(isinstance(v, float) and abs(v) >= _EXACT for v in values):
        msg = "int needs whole numbers below 2^53; beyond it take uniform"
        raise ValueError(msg)
    wanted: tuple[type, ...] = (int,) if kind == "int" else (int, float)
    if any(isinstance(v, bool) or not isinstance(v, wanted) for v in values):
        got = ", ".join(type(value).__name__ for value in values)
        msg = f"{kind} needs two {'integers' if kind == 'int' else 'numbers'}, got {got}"
        raise ValueError(msg)
    low, high = values
    if not low <= high:
        msg = f"low ({low}) is above high ({high})"
        raise ValueError(msg)
    if not math.isfinite(high - low):
        msg = f"{low} and {high} are too far apart for a number to say how far"
        raise ValueError(msg)
    if kind == "log_uniform" and low <= 0:
        msg = f"log_uniform needs low > 0, got {low}"
        raise ValueError(msg)


def _check_step(kind: Kind, values: list[Any], step: float) -> None:
    if kind not in {"int", "uniform"}:
        msg = f"a step is for int and uniform; {kind} has none"
        raise ValueError(msg)
    if kind == "int" and not isinstance(step, int):
        msg = f"the step of an int is a whole number, got {step}"
        raise ValueError(msg)
    low, high = values
    if not 0 < step <= max(high - low, step if high == low else 0):
        msg = f"step {step} is not above 0 and at most high - low ({high - low})"
        raise ValueError(msg)
    if (high - low) / step >= _EXACT:
        msg = f"step {step} from {low} to {high} makes 2^53 values or more; give it a larger step"
        raise ValueError(msg)
