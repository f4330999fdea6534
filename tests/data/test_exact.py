from fractions import Fraction

import numpy as np
import pytest

from mlops_ray.data.exact import ExactSum, RunningProduct, RunningSum
from mlops_ray.errors import ColumnError

WILD = np.random.default_rng(0)
VALUES = np.concatenate(
    [
        WILD.lognormal(0, 30, 400) * WILD.choice([-1, 1], 400),
        [5e-324, -2.2e-308, 1e150, 0.0, 3.0],
    ]
)


def test_sums_equal_exact_rational_arithmetic():
    total = sum(map(Fraction, VALUES.tolist()))
    squares = sum(Fraction(value) ** 2 for value in VALUES.tolist())
    n = len(VALUES)

    sums = ExactSum.of(VALUES)

    assert sums.mean == float(total / n)
    assert sums.variance == float(squares / n - (total / n) ** 2)


def test_any_grouping_gives_the_same_sums():
    parts = np.array_split(WILD.permutation(VALUES), 7)

    merged = sum((ExactSum.of(part) for part in parts), start=ExactSum())

    assert merged == ExactSum.of(VALUES)


def test_whole_numbers_take_another_way_to_the_same_sums():
    whole = WILD.integers(-(2**30), 2**30, 1000).astype(float)

    with_a_fraction = ExactSum.of(np.append(whole, 0.5))

    assert ExactSum.of(whole) + ExactSum.of(np.array([0.5])) == with_a_fraction


def test_cancellation_loses_nothing():
    assert ExactSum.of(np.array([1e100, 1.0, -1e100])).mean == 1 / 3
    assert ExactSum.of(np.full(1000, 0.1)).variance == 0.0


def test_json_round_trip_and_constant():
    sums = ExactSum.of(VALUES)

    assert ExactSum.from_json(sums.to_json()) == sums
    assert ExactSum.from_json(ExactSum().to_json()) == ExactSum()
    assert ExactSum.of_constant(0.1, 5) == ExactSum.of(np.full(5, 0.1))
    assert np.isnan([ExactSum().mean, ExactSum().variance]).all()


def test_counted_values_are_those_that_stand_so_often():
    rng = np.random.default_rng(3)
    values, counts = rng.lognormal(0, 20, 500) * rng.choice([-1, 1], 500), rng.integers(1, 40, 500)

    assert ExactSum.of_counts(values, counts) == ExactSum.of(np.repeat(values, counts))
    assert ExactSum.of_counts(values[:0], counts[:0]) == ExactSum()


@pytest.mark.parametrize("value", [np.nan, np.inf, -(2.0**500)])
def test_what_cannot_be_summed_is_refused(value):
    with pytest.raises(ColumnError):
        ExactSum.of(np.array([1.0, value]))


def test_products_do_not_depend_on_the_values_that_stand_in_one_piece():
    rng = np.random.default_rng(7)
    values = rng.choice([2.0**-380, 2.0**-401, 2.0**-420, 2.0**-600, 5e-324, 1.0], 600)
    values *= 1.0 + rng.random(600)
    other = rng.normal(size=600)

    def product(n_rows):
        running = RunningProduct()
        for start in range(0, 600, n_rows):
            left, right = values[start : start + n_rows], other[start : start + n_rows]
            running.add(*(RunningSum().add(part.copy(), 4.0) for part in (left, right)))
        return running.sum()

    normal = np.where(values < 2.0**-400, 0.0, values)  # Smaller ones are left out by rule.
    exact = sum(Fraction(x) * Fraction(y) for x, y in zip(normal, other, strict=True))
    assert [product(n) for n in (1, 7, 600)] == [exact * 2**2252] * 3
