"""The cheapest threshold, beside trying every one of them, and ties as they are stated."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mlops_ray.config.estimator import ThresholdConfig
from mlops_ray.models.decision import NEVER, cheapest_threshold


def every_cost(shares, y, costs):
    """Threshold -> exact total cost, by looking at each row."""
    price = {
        (True, 0): costs.false_positive,
        (False, 1): costs.false_negative,
        (True, 1): costs.true_positive,
        (False, 0): costs.true_negative,
    }
    exact = {key: Fraction(repr(value)) for key, value in price.items()}
    return {
        threshold: sum(
            exact[share >= threshold, label] for share, label in zip(shares, y, strict=True)
        )
        for threshold in [*sorted(set(shares)), NEVER]
    }


@pytest.mark.parametrize(
    "costs",
    [
        {"false_positive": 1.0, "false_negative": 5.0},
        {"false_positive": 0.1, "false_negative": 0.3, "true_negative": 0.07},
        {"false_positive": 2.0, "false_negative": 1.0, "true_positive": -4.0},
        {"false_positive": 1e12, "false_negative": 1e-7},
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_costs_less_and_of_equals_it_is_the_highest(costs, seed):
    rng = np.random.default_rng(seed)
    shares = rng.random(60).round(2)
    y = (rng.random(60) < shares).astype(np.int32)
    declared = ThresholdConfig(**costs)
    known = every_cost(shares.tolist(), y.tolist(), declared)

    found = cheapest_threshold(shares, y, declared)

    least = min(known.values())
    assert found.threshold == max(t for t, cost in known.items() if cost == least)
    assert found.cost == pytest.approx(float(least) / 60, rel=1e-12, abs=1e-12)
    assert found.n == 60
    at_half = known[min(t for t in known if t >= 0.5)]
    assert found.cost_at_half == pytest.approx(float(at_half) / 60, rel=1e-12, abs=1e-12)


def test_equal_costs_are_equal_though_floats_would_not_be():
    # At 0.2 three rows are told wrongly, at NEVER one is missed: 3 x 0.1 is 0.3 exactly.
    shares, y = np.array([0.2, 0.2, 0.2, 0.2]), np.array([0, 0, 0, 1], dtype=np.int32)
    assert sum([0.1] * 3) != 0.3

    found = cheapest_threshold(shares, y, ThresholdConfig(false_positive=0.1, false_negative=0.3))

    assert found.threshold == NEVER


def test_a_class_is_never_told_where_that_is_cheapest():
    shares, y = np.array([0.9, 0.8, 1.0]), np.array([0, 0, 0], dtype=np.int32)

    found = cheapest_threshold(shares, y, ThresholdConfig(false_positive=1, false_negative=1))

    assert found.threshold == NEVER > 1.0
    assert (found.cost, found.cost_at_half) == (0.0, 1.0)
