"""Which trials make an ensemble, and how much each counts: decided on the validation rows.

Source: Caruana, Niculescu-Mizil, Crew and Ksikes (2004), Ensemble selection from libraries of
models, of which this is selection with replacement.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_ray.models.ensemble import mean_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["greedy_weights"]


def greedy_weights(
    answers: Sequence[NDArray[np.float64]],
    loss_of: Callable[[NDArray[np.float64]], float],
    n_picks: int,
) -> list[int]:
    """Pick models one after the other, each the one with which the mean is best.

    Of models that are equally good the first is picked, and of numbers of picks that are equally
    good the smallest counts, so that the ensemble is never worse on these rows than the best model.

    Args:
        answers: Of each model to the validation rows, the best first.
        loss_of: How bad answers are; what is not a number is the worst.
        n_picks: How often is picked at most.

    Returns:
        How often each model was picked.

    Example:
        >>> import numpy as np
        >>> low, high = np.array([1.0]), np.array([4.0])
        >>> greedy_weights([low, high], lambda mean: abs(mean[0] - 2.0), 10)
        [2, 1]
    """
    weights = [0] * len(answers)
    best, best_loss = list(weights), math.inf
    for _ in range(n_picks):
        loss, at = min(
            (_loss_with(answers, weights, at, loss_of), at) for at in range(len(answers))
        )
        weights[at] += 1
        if loss < best_loss or not any(best):
            best, best_loss = list(weights), loss
    return best


def _loss_with(
    answers: Sequence[NDArray[np.float64]],
    weights: Sequence[int],
    at: int,
    loss_of: Callable[[NDArray[np.float64]], float],
) -> float:
    """With one more of a model; added in the order in which the ensemble will add."""
    tried = [weight + (place == at) for place, weight in enumerate(weights)]
    used = [place for place, weight in enumerate(tried) if weight]
    mean = mean_of([answers[place] for place in used], [tried[place] for place in used])
    loss = loss_of(mean)
    return math.inf if math.isnan(loss) else loss
