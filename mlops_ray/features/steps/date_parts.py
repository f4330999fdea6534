"""date_parts: calendar fields of a time, and their cycles."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field, model_validator

from mlops_ray.features.steps.step import Fitted, Policies, TimeStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.data.schema import LogicalType

__all__ = ["DateParts"]

Part = Literal[
    "year",
    "quarter",
    "month",
    "day",
    "day_of_year",
    "weekday",
    "weekend",
    "hour",
    "minute",
    "second",
]
Cycle = Literal["quarter", "month", "day", "day_of_year", "weekday", "hour", "minute", "second"]

# Field -> first value, and how many make a round.
_ROUNDS: Final[dict[str, tuple[int, int]]] = {
    "quarter": (1, 4), "month": (1, 12), "day": (1, 31), "day_of_year": (1, 366),
    "weekday": (0, 7), "hour": (0, 24), "minute": (0, 60), "second": (0, 60),
}  # fmt: skip
_CLOCK: Final = frozenset({"hour", "minute", "second"})


class DateParts(TimeStep):
    """Fields of a time in UTC: as numbers, and as sine and cosine where they go round.

    Monday is weekday 0. Each value of a field has its sine and cosine calculated once.

    Attributes:
        parts: Fields that become a number.
        cycles: Fields that become two, ``name.field.sin`` and ``name.field.cos``.
    """

    short: ClassVar[str] = "parts"
    policies: ClassVar[Policies] = Policies(
        null="stays null", out_of_range="error before year 1 and after 9999", empty="allowed"
    )

    step: Literal["date_parts"] = "date_parts"
    parts: list[Part] = Field(default_factory=list)
    cycles: list[Cycle] = Field(default_factory=list)

    @model_validator(mode="after")
    def _something(self) -> DateParts:
        for fields in (self.parts, self.cycles):
            if len(set(fields)) < len(fields):
                msg = "a field is named twice"
                raise ValueError(msg)
        if not self.parts and not self.cycles:
            msg = "give 'parts' or 'cycles', such as {parts: [year], cycles: [month, hour]}"
            raise ValueError(msg)
        return self

    def fit(self, dtype: LogicalType, name: str) -> Fitted:
        """Nothing to fit."""
        clock = sorted(_CLOCK & {*self.parts, *self.cycles})
        if dtype == "date" and clock:
            got, hint = ", ".join(clock), "leave them out, or store the column as a timestamp"
            raise self.refuse("a date has no time of day", got, "", hint, name)
        return {"parts": list(self.parts), "cycles": list(self.cycles)}

    @classmethod
    def lanes(cls, name: str, fitted: Fitted) -> list[tuple[str, str, Callable[[int], float]]]:
        """Numbers first, then cycles, as declared."""
        lanes: list[tuple[str, str, Callable[[int], float]]] = [
            (f"{name}.{part}", "weekday", lambda value: float(value >= 5))
            if part == "weekend"
            else (f"{name}.{part}", part, float)
            for part in fitted["parts"]
        ]
        for field in fitted["cycles"]:
            for label, function in (("sin", math.sin), ("cos", math.cos)):
                turn = partial(_on_circle, function, *_ROUNDS[field])
                lanes.append((f"{name}.{field}.{label}", field, turn))
        return lanes


def _on_circle(function: Callable[[float], float], first: int, n: int, value: int) -> float:
    return function(2.0 * math.pi * ((value - first) / n))
