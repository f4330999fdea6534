"""Declared parameters of a family: names, types, ranges and defaults, checked before Ray starts.

Every default stands here and is passed on explicitly, so a library that changes its own defaults
cannot change a result, and a frozen spec names each parameter that had a part in it.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.config.secret_formats import shown
from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.model import Task

__all__ = ["Choice", "Number", "Parameter", "ParameterTable", "way_out"]

_WAYS_OUT: Final[dict[str, str]] = {
    "eta": "its name here is 'learning_rate'",
    "lambda": "its name here is 'reg_lambda'",
    "alpha": "its name here is 'reg_alpha'",
    "min_split_loss": "its name here is 'gamma'",
    "num_boost_round": "its name here is 'n_estimators'",
    "seed": "set 'seed' at the top of the pipeline file",
    "random_state": "set 'seed' at the top of the pipeline file",
    "nthread": "set 'model.threads'",
    "n_jobs": "set 'model.threads'",
    "objective": "it follows from 'data.task'",
    "loss": "it follows from 'data.task'",
    "num_class": "it follows from the data",
    "verbosity": "it has no effect on a result",
    "verbose": "it has no effect on a result",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a range.

    Attributes:
        default: Value where none is given.
        low: Smallest value.
        high: Largest value.
        above_low: Whether `low` itself is excluded.
        is_integer: Whether only whole numbers are allowed.
        or_none: Whether ``null`` is allowed too.
    """

    default: float | None
    low: float
    high: float = math.inf
    above_low: bool = False
    is_integer: bool = False
    or_none: bool = False

    def accepts(self, value: object) -> bool:
        """Whether `value` is one of the allowed values."""
        if value is None:
            return self.or_none
        if isinstance(value, bool) or not isinstance(
            value, int if self.is_integer else int | float
        ):
            return False
        return math.isfinite(value) and (
            self.low < value <= self.high if self.above_low else self.low <= value <= self.high
        )

    def resolved(self, value: object) -> object:
        """`value` in one form: whole numbers given for a real number become floats."""
        if value is None or self.is_integer or not isinstance(value, int):
            return value
        return float(value)

    def __str__(self) -> str:
        kind = "an integer" if self.is_integer else "a number"
        low = f"{'above' if self.above_low else 'from'} {self.low:g}"
        high = f" to {self.high:g}" if math.isfinite(self.high) else ""
        return f"{kind} {low}{high}{' or null' if self.or_none else ''}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values.

    Attributes:
        default: Value where none is given.
        values: Allowed values.
    """

    default: str | bool | None
    values: tuple[str | bool | None, ...]

    def accepts(self, value: object) -> bool:
        """Whether `value` is one of the allowed values; 0 and 1 are not booleans."""
        return any(type(value) is type(known) and value == known for known in self.values)

    def resolved(self, value: object) -> object:
        """`value` itself."""
        return value

    def __str__(self) -> str:
        return "one of " + ", ".join("null" if v is None else repr(v) for v in self.values)


Parameter = Number | Choice


@dataclass(frozen=True, slots=True)
class ParameterTable:
    """The parameters of one family.

    Attributes:
        family: Name of the family, for messages.
        by_task: Parameters by task; the same object may stand under several tasks.
    """

    family: str
    by_task: Mapping[Task, Mapping[str, Parameter]]

    def check(self, params: Mapping[str, object], task: Task | None) -> list[str]:
        """Mistakes in names and values, one sentence each, in the order of `params`."""
        known = self._known(task)
        return [
            problem
            for name, value in params.items()
            for problem in _problems(self.family, known, name, value)
        ]

    def resolve(self, params: Mapping[str, object], task: Task) -> dict[str, object]:
        """All parameters with defaults filled in, sorted by name.

        Raises:
            ModelError: A name or a value cannot be used.
        """
        problems = self.check(params, task)
        if problems:
            raise ModelError("; ".join(problems))
        known = self.by_task[task]
        return {
            name: known[name].resolved(params.get(name, known[name].default))
            for name in sorted(known)
        }

    def _known(self, task: Task | None) -> dict[str, Parameter]:
        tables = [self.by_task[task]] if task else list(self.by_task.values())
        return {name: parameter for table in tables for name, parameter in table.items()}


def _problems(family: str, known: Mapping[str, Parameter], name: str, value: object) -> list[str]:
    if name not in known:
        return [f"{family} has no parameter {name!r}; {way_out(known, name)}"]
    if not known[name].accepts(value):
        return [f"{family} parameter {name!r} must be {known[name]}, got {shown(value)}"]
    return []


def way_out(known: Mapping[str, object], name: str) -> str:
    """What to do about a parameter that is not known: where it is set, or the nearest name."""
    told = _WAYS_OUT.get(name, "")
    renamed = told.rsplit("'", 2)[1] if told.startswith("its name") else ""
    if told and (not renamed or renamed in known):
        return told
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known))}"
