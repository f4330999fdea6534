import numpy as np
import pytest

from mlops_ray.data.histogram import Histogram, bucket_lower_bounds

VALUES = np.random.default_rng(1).lognormal(0, 3, 5000) * np.tile([-1, 1], 2500) + 0.0


def test_buckets_are_in_the_order_of_the_values():
    numbers = [Histogram.of(np.array([value])).buckets[0] for value in np.sort(VALUES)]

    assert numbers == sorted(numbers)


def test_a_bucket_holds_values_within_one_part_in_32_of_its_bound():
    for value in VALUES[:500]:
        (bound,) = bucket_lower_bounds(list(Histogram.of(np.array([value])).buckets))
        assert abs(bound) <= abs(value) < abs(bound) * (1 + 1 / 32)


def test_parts_add_up_to_the_whole():
    parts = [Histogram.of(part) for part in np.array_split(VALUES, 3)]

    assert parts[2] + parts[0] + parts[1] == Histogram.merged(parts) == Histogram.of(VALUES)
    assert Histogram.of(VALUES).n == 5000


@pytest.mark.parametrize("q", [0.0, 0.01, 0.5, 0.9, 1.0])
def test_quantiles_are_within_the_stated_bound(q):
    exact = np.quantile(VALUES, q, method="inverted_cdf")

    assert Histogram.of(VALUES).quantile(q) == pytest.approx(exact, rel=1 / 31)


def test_small_whole_numbers_are_exact_and_json_round_trips():
    histogram = Histogram.of(np.arange(64.0))

    assert bucket_lower_bounds(list(histogram.buckets)).tolist() == list(range(64))
    for some in (histogram, Histogram.of(VALUES), Histogram()):
        assert Histogram.from_json(some.to_json()) == some
    assert np.isnan(Histogram().quantile(0.5))


def test_counted_values_are_those_that_stand_so_often():
    counts = np.random.default_rng(2).integers(1, 9, VALUES.size)

    assert Histogram.of_counts(VALUES, counts) == Histogram.of(np.repeat(VALUES, counts))
    assert Histogram.of_counts(VALUES[:0], counts[:0]) == Histogram()
