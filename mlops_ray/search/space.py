"""Drawing hyperparameters: trial `i` depends on the seed and on `i`, on nothing else.

Each trial has a generator of its own and draws its dimensions in the order of their names, so
asking for more trials, or running them in another order, changes none that was drawn before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.runtime.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.model import Task
    from mlops_ray.config.search_space import Dimension
    from mlops_ray.models.estimator import Family
    from mlops_ray.search.trial import TrialRecord

__all__ = ["RandomSearcher", "check_space"]


class RandomSearcher:
    """Draws every trial on its own.

    Args:
        space: Dimensions by parameter name.
        seed: Seed of the search.

    Example:
        >>> RandomSearcher({}, seed=7).ask(0, 1)
        [{}]
    """

    learns: bool = False

    def __init__(self, space: Mapping[str, Dimension], seed: int) -> None:
        self._space = space
        self._seed = seed

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """Plain Python values, sorted by name in each trial."""
        indices = range(first, first + n)
        return [_draw_one(self._space, derive(self._seed, "draw", index)) for index in indices]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Learn nothing."""


def check_space(family: Family, space: Mapping[str, Dimension], task: Task) -> list[str]:
    """Mistakes in the names and bounds of a space, as sentences; empty where there are none.

    Ranges are convex, so a range whose two ends are allowed is allowed.
    """
    problems = [
        problem
        for name, dimension in space.items()
        for value in dimension.values
        for problem in family.check_params({name: value}, task)
    ]
    return list(dict.fromkeys(problems))


def _draw_one(space: Mapping[str, Dimension], seed: int) -> dict[str, Any]:
    generator = np.random.Generator(np.random.PCG64(seed))
    return {name: _value(space[name], generator) for name in sorted(space)}


def _value(dimension: Dimension, generator: np.random.Generator) -> Any:  # noqa: ANN401 - a choice
    values: list[Any] = dimension.values
    if dimension.kind == "choice":
        return values[int(generator.integers(len(values)))]
    low, high = values
    if dimension.kind == "int":
        return int(generator.integers(low, high, endpoint=True))
    share = generator.random()
    if dimension.kind == "uniform":
        return float(min(low + share * (high - low), high))
    # `math` calls one libm routine; numpy picks one by the instruction set.
    drawn = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return float(min(max(drawn, low), high))
