"""Quasi-random search: a scrambled Sobol sequence, which fills the space more evenly than chance.

Source: scipy.stats.qmc.Sobol; A. Owen, "Scrambling Sobol' and Niederreiter-Xing points" (1998).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import qmc

from mlops_ray.config.space_points import active
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.space import value_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.search_space import Dimension
    from mlops_ray.search.trial import TrialRecord

__all__ = ["SobolSearcher"]


class SobolSearcher:
    """Takes one coordinate of the sequence a dimension, in the order of their names.

    Args:
        space: Dimensions by parameter name.
        n_trials: Trials of the search; asking for more changes none of the first.
        seed: Seed of the search.
    """

    learns: bool = False

    def __init__(self, space: Mapping[str, Dimension], n_trials: int, seed: int) -> None:
        self._space = space
        if space:
            generator = np.random.Generator(np.random.PCG64(derive(seed, "sobol")))
            sequence = qmc.Sobol(len(space), scramble=True, rng=generator)
            # Whole powers of two are what the sequence is balanced for.
            self._shares = sequence.random_base2((n_trials - 1).bit_length())
        else:
            self._shares = np.zeros((n_trials, 0))

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """The points from one on, as values."""
        names = sorted(self._space)
        return [
            active(
                self._space,
                {name: value_at(self._space[name], s) for name, s in zip(names, row, strict=True)},
            )
            for row in self._shares[first : first + n].tolist()
        ]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Learn nothing."""
