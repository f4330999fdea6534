"""Points of a search space: which dimensions have a part in one, and all of them for a grid."""

from __future__ import annotations

import itertools
import math
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.search_space import Dimension

__all__ = ["active", "condition_mistakes", "grid", "in_order"]

_MOST_POINTS: Final = 100_000


def in_order(space: Mapping[str, Dimension]) -> list[str]:
    """Names, each after those that decide whether it has a part; else by name.

    Raises:
        CycleError: Conditions go round in a circle.

    Example:
        >>> from mlops_ray.config.search_space import Dimension
        >>> tree = Dimension.model_validate({"choice": ["a", "b"]})
        >>> leaf = Dimension.model_validate({"int": [1, 2], "when": {"tree": "a"}})
        >>> in_order({"leaf": leaf, "tree": tree})
        ['tree', 'leaf']
    """
    sorter = TopologicalSorter({name: sorted(space[name].when or {}) for name in sorted(space)})
    sorter.prepare()
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return ordered


def active(space: Mapping[str, Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters whose conditions hold, sorted by name."""
    kept: dict[str, Any] = {}
    for name in in_order(space):
        when = space[name].when or {}
        if all(other in kept and _is_among(kept[other], vs) for other, vs in when.items()):
            kept[name] = params[name]
    return {name: kept[name] for name in sorted(kept)}


def grid(space: Mapping[str, Dimension]) -> list[dict[str, Any]]:
    """Every point once; the last name by the alphabet changes first.

    Raises:
        ValueError: A dimension has no end of values, or there are more than 100,000 points.
    """
    names, sizes = sorted(space), []
    for name in names:
        n_levels = space[name].n_levels
        if n_levels is None:
            msg = f"{name} has no end of values: give it a 'step', or make it a 'choice'"
            raise ValueError(msg)
        sizes.append(n_levels)
    if math.prod(sizes) > _MOST_POINTS:
        msg = f"{math.prod(sizes)} points are more than {_MOST_POINTS}: give it larger steps"
        raise ValueError(msg)
    points: dict[str, dict[str, Any]] = {}
    for levels in itertools.product(*map(range, sizes)):
        drawn = {name: space[name].level(k) for name, k in zip(names, levels, strict=True)}
        point = active(space, drawn)
        points.setdefault(repr(point), point)
    return list(points.values())


def condition_mistakes(space: Mapping[str, Dimension]) -> dict[str, tuple[str, str]]:
    """Dimension -> what is wrong with its condition, and the way out."""
    found = {
        name: mistake
        for name, dimension in space.items()
        for other, values in (dimension.when or {}).items()
        if (mistake := _mistake(space, other, values))
    }
    if found:
        return found
    try:
        in_order(space)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        return {error.args[1][0]: (f"conditions go round: {circle}", "leave one of them out")}
    return {}


def _mistake(
    space: Mapping[str, Dimension], other: str, values: list[Any]
) -> tuple[str, str] | None:
    if other not in space:
        return f"{other!r} is no dimension", f"one of {', '.join(sorted(space))}"
    if space[other].kind != "choice":
        return f"{other!r} is no choice", f"make it one, such as {other}: {{choice: [...]}}"
    strange = [value for value in values if not _is_among(value, space[other].values)]
    if strange or not values:
        return f"{strange} is no value of {other!r}", f"some of {space[other].values}"
    return None


def _is_among(value: object, values: list[Any]) -> bool:
    return any(type(value) is type(item) and value == item for item in values)
