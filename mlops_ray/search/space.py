"""Drawing hyperparameters: trial `i` depends on the seed and on `i`, on nothing else.

Each trial has a generator of its own and draws its dimensions in the order of their names, so
asking for more trials, or running them in another order, changes none that was drawn before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.errors import SearchError
from mlops_ray.runtime.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.model import Task
    from mlops_ray.config.search_space import Dimension
    from mlops_ray.models.estimator import Family

__all__ = ["check_space", "draw"]


def draw(space: Mapping[str, Dimension], n_trials: int, seed: int) -> list[dict[str, Any]]:
    """Parameters of `n_trials` trials, sorted by name in each.

    Args:
        space: Dimensions by parameter name.
        n_trials: Trials wanted, at least 1.
        seed: Seed of the search.

    Returns:
        Plain Python values; a prefix of what a larger `n_trials` would give.

    Raises:
        SearchError: The space is empty, so that a second trial would repeat the first.

    Example:
        >>> draw({}, 1, seed=7)
        [{}]
    """
    if not space and n_trials > 1:
        raise SearchError(
            "an empty search space has one trial",
            f"trials: {n_trials}",
            "trials: 1",
            "declare 'search.space' or set 'search.trials' to 1",
        )
    return [_draw_one(space, derive(seed, "draw", index)) for index in range(n_trials)]


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
