"""What steps make of a column's kind, and why they do not fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.data.cast import cast_targets
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.steps import DECLARABLE, STEPS
from mlops_ray.features.steps.step import (
    CategoryStep,
    FeatureKind,
    JointStep,
    Kind,
    NumberStep,
    Step,
    TimeStep,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.schema import LogicalType

__all__ = ["end_of", "kinds_of", "misfit"]

# What a model can be given; a column of any other type is merely carried along.
_KINDS: Final[dict[LogicalType, tuple[FeatureKind, ...]]] = {
    "integer": ("number", "category"),
    "boolean": ("number", "category"),
    "float": ("number",),
    "decimal": ("number",),
    "string": ("category",),
    "timestamp": ("time",),
    "date": ("time",),
}
_NOUNS: Final[dict[Kind, str]] = {
    "number": "numbers",
    "category": "categories",
    "time": "times",
    "indicator": "indicators",
}
_TAKERS: Final[dict[Kind, type[Step] | tuple[type[Step], ...]]] = {
    "number": (NumberStep, JointStep),
    "category": CategoryStep,
    "time": TimeStep,
}


def kinds_of(dtype: LogicalType) -> tuple[FeatureKind, ...]:
    """What a column of some type may be to a feature; nothing if no feature is made of it."""
    return _KINDS.get(dtype, ())


def end_of(kind: Kind, steps: Sequence[Step]) -> Kind | None:
    """What the steps make of a column; None where one of them does not take it."""
    found: Kind | None = kind
    for step in steps:
        found = step.gives(found) if found is not None else None
    return found


def misfit(column: str, dtype: LogicalType, steps: tuple[Step, ...], where: Where) -> ColumnError:
    """The error of a column whose type the steps do not take, or leave as what is no feature."""
    kinds = kinds_of(dtype)
    if not kinds:
        return _no_feature(column, dtype, where)
    given = ", ".join(step.step for step in steps) or "no step"
    why = "; ".join(dict.fromkeys(_why(kind, steps) for kind in kinds))
    return ColumnError(
        f"the steps do not fit column {column!r}",
        f"{given} on a column of type {dtype}: {why}",
        "; or ".join(_ways(kind) for kind in kinds),
        "change its steps or leave it out of the features",
        where,
    )


def _no_feature(column: str, dtype: LogicalType, where: Where) -> ColumnError:
    targets = cast_targets(dtype)
    way = "write what the model is to see of it as a column of its own"
    if targets:
        way = f"declare 'data.columns.{column}.cast: {targets[0]}', or {way}"
    return ColumnError(
        f"column {column!r} is of a type that no feature is made of",
        dtype,
        "integers, floats, decimals, booleans, texts, dates or timestamps",
        f"leave it out of the features; or {way}",
        where,
    )


def _why(kind: Kind, steps: Sequence[Step]) -> str:
    """Which step does not take what comes to it, or what is left at the end."""
    found = kind
    for step in steps:
        gives = step.gives(found)
        if gives is None:
            takes = isinstance(step, _TAKERS.get(found, ()))
            options = " with these options" if takes else ""
            return f"{step.step}{options} does not take {_NOUNS[found]}"
        found = gives
    return f"{_NOUNS[found]} are left, which no model takes"


def _ways(kind: FeatureKind) -> str:
    takers = [name for name in STEPS if name in DECLARABLE]
    names = ", ".join(name for name in takers if issubclass(STEPS[name], _TAKERS[kind]))
    if kind == "number":
        return f"as a number {names}, or no step"
    if kind == "time":
        return f"as a time {names} first"
    return f"as a category {names}, and then steps of a number"
