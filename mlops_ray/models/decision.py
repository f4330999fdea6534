"""From which probability on the second class is told: the threshold that costs least."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.estimator import ThresholdConfig

__all__ = ["NEVER", "Decision", "cheapest_threshold"]

NEVER: Final = float(np.nextafter(1.0, 2.0))  # No probability comes up to it.
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Decision:
    """A threshold, and what it costs on the rows that it was chosen by.

    Attributes:
        threshold: The second class is told where its probability is at least this.
        cost: Mean cost of a row.
        cost_at_half: The same at a threshold of 0.5.
        n: Rows.
    """

    threshold: float
    cost: float
    cost_at_half: float
    n: int


def cheapest_threshold(
    shares: NDArray[np.float64],
    y: NDArray[np.int32] | NDArray[np.float64],
    costs: ThresholdConfig,
) -> Decision:
    """The cheapest of the probabilities that occur, and of `NEVER`; of equals the highest.

    Costs are compared exactly, as decimals, so that a tie is one.

    Args:
        shares: Probabilities of the second class, shape ``(n_rows,)``.
        y: Class indices, 0 or 1.
        costs: What answers cost.

    Example:
        >>> from mlops_ray.config.estimator import ThresholdConfig
        >>> costs = ThresholdConfig(false_positive=1, false_negative=5)
        >>> cheapest_threshold(np.array([0.1, 0.3, 0.6]), np.array([0, 1, 1]), costs).threshold
        0.3
    """
    thresholds = np.append(np.unique(shares), NEVER)
    totals, scale = _totals(shares, y, costs)
    best = totals.size - 1 - int(np.argmin(totals[::-1]))
    at_half = int(np.searchsorted(thresholds, _HALF, side="left"))
    cost, cost_at_half = (float(Decimal(totals[at]) / scale / y.size) for at in (best, at_half))
    return Decision(float(thresholds[best]), cost, cost_at_half, int(y.size))


def _totals(
    shares: NDArray[np.float64],
    y: NDArray[np.int32] | NDArray[np.float64],
    costs: ThresholdConfig,
) -> tuple[NDArray[np.object_], Decimal]:
    """What all rows cost together at each threshold, in whole numbers of a part of the unit."""
    scale, (wrong_in, wrong_out, right_in, right_out) = _whole(costs)
    values, places = np.unique(shares, return_inverse=True)
    # Python's whole numbers, which never overflow, for the rows of each class at each value.
    n_out, n_in = (
        np.bincount(places[y == k], minlength=values.size).astype(object) for k in (0, 1)
    )
    # At the first value every row is told; from one to the next, those at it are no longer.
    at_first = n_out.sum() * wrong_in + n_in.sum() * right_in
    changes = n_out * (right_out - wrong_in) + n_in * (wrong_out - right_in)
    return np.cumsum(np.append(at_first, changes)), scale


def _whole(costs: ThresholdConfig) -> tuple[Decimal, tuple[int, int, int, int]]:
    """The costs as whole numbers, and what they were multiplied by."""
    given = [
        Decimal(repr(float(cost)))
        for cost in (
            costs.false_positive,
            costs.false_negative,
            costs.true_positive,
            costs.true_negative,
        )
    ]
    places = max(0, *(-int(value.as_tuple().exponent) for value in given))
    scale = Decimal(10) ** places
    first, second, third, fourth = (int(value * scale) for value in given)
    return scale, (first, second, third, fourth)
