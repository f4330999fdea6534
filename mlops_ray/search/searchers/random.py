"""Random search: trial `i` depends on the seed and on `i`, on nothing else.

Each trial has a generator of its own and draws its dimensions in the order of their names, so
asking for more trials, or running them in another order, changes none that was drawn before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.config.space_points import active
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.space import value_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.search_space import Dimension
    from mlops_ray.search.trial import TrialRecord

__all__ = ["RandomSearcher"]


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
        return [self._draw(derive(self._seed, "draw", index)) for index in indices]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Learn nothing."""

    def _draw(self, seed: int) -> dict[str, Any]:
        generator = np.random.Generator(np.random.PCG64(seed))
        # Those without a part are drawn, too, so that a condition changes no other draw.
        drawn = {name: _value(self._space[name], generator) for name in sorted(self._space)}
        return active(self._space, drawn)


def _value(dimension: Dimension, generator: np.random.Generator) -> Any:  # noqa: ANN401 - a choice
    if dimension.n_levels is None:
        return value_at(dimension, generator.random())
    if dimension.kind == "int" and dimension.step is None:  # Bits of recorded runs.
        low, high = dimension.level(0), dimension.level(dimension.n_levels - 1)
        return int(generator.integers(low, high, endpoint=True))
    return dimension.level(int(generator.integers(dimension.n_levels)))
