"""Shares of the unit interval as values of a dimension; the names and bounds a family allows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.model import Task
    from mlops_ray.config.search_space import Dimension, Kind, Value
    from mlops_ray.models.estimator import Family

__all__ = ["check_space", "value_at"]

_REAL: Final = frozenset({"uniform", "log_uniform"})


def value_at(dimension: Dimension, share: float) -> Any:  # noqa: ANN401 - a choice
    """The value at a share of the dimension, so that even shares give even draws.

    Args:
        dimension: The dimension.
        share: From 0 up to, but without, 1.

    Example:
        >>> from mlops_ray.config.search_space import Dimension
        >>> value_at(Dimension(kind="int", values=[3, 6]), 0.75)
        6
    """
    if dimension.n_levels is not None:
        return dimension.level(min(int(share * dimension.n_levels), dimension.n_levels - 1))
    low, high = (float(value) for value in dimension.values)  # type: ignore[arg-type]
    if dimension.kind == "uniform":
        return float(min(low + share * (high - low), high))
    # `math` calls one libm routine; numpy picks one by the instruction set.
    drawn = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return float(min(max(drawn, low), high))


def check_space(family: Family, space: Mapping[str, Dimension], task: Task) -> list[str]:
    """Mistakes in the names and bounds of a space, as sentences; empty where there are none.

    Ranges are convex, so a range is allowed whose two ends are, as numbers of the type it draws.
    """
    problems = [
        problem
        for name, dimension in space.items()
        for value in dimension.values
        for problem in _problems(family, name, dimension.kind, value, task)
    ]
    return list(dict.fromkeys(problems))


def _problems(family: Family, name: str, kind: Kind, value: Value, task: Task) -> list[str]:
    """What is wrong with a choice, or with an end of a range."""
    drawn = float(value) if kind in _REAL and value is not None else value
    problems = family.check_params({name: drawn}, task)
    if not problems or family.check_params({name: value}, task):
        return problems
    return [f"{problem}; {kind!r} draws real numbers, 'int' whole ones" for problem in problems]
