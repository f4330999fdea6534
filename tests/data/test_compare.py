from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency, norm

from mlops_ray.data.compare import compare_profiles, population_stability_index
from mlops_ray.data.profile import Profile
from mlops_ray.errors import ColumnError

RNG = np.random.default_rng(4)


def profile(values, dtype="float"):
    column = pa.array(values, from_pandas=True)
    return Profile.of(pa.table({"x": column}), {"x": dtype}).columns["x"]


def test_a_column_does_not_drift_from_itself():
    found = profile(RNG.normal(size=5000))

    comparison = compare_profiles(found, found)

    assert (comparison.psi, comparison.statistic, comparison.p_value) == (0.0, 0.0, 1.0)
    assert comparison.n_bins == 10


def test_the_index_of_a_shifted_normal_is_near_its_closed_form():
    shift, n = 0.5, 200_000
    cuts = np.concatenate([[-np.inf], norm.ppf(np.linspace(0.1, 0.9, 9)), [np.inf]])
    p, q = np.diff(norm.cdf(cuts)), np.diff(norm.cdf(cuts - shift))

    found = compare_profiles(profile(RNG.normal(size=n)), profile(RNG.normal(shift, size=n)))

    assert found.psi == pytest.approx(np.sum((p - q) * np.log(p / q)), rel=0.05)
    assert found.p_value < 1e-12


def test_p_values_are_even_where_nothing_moved():
    def sample():
        return profile(RNG.normal(size=500))

    p_values = [compare_profiles(sample(), sample()).p_value for _ in range(300)]

    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.06)


def test_categories_are_compared_by_value_as_scipy_does():
    reference = profile(["a"] * 50 + ["b"] * 50, "string")
    live = profile(["a"] * 20 + ["b"] * 40 + ["c"] * 30, "string")

    comparison = compare_profiles(reference, live)

    wanted = chi2_contingency([[50, 50, 0], [20, 40, 30]], correction=False)
    assert comparison.statistic == pytest.approx(wanted.statistic)
    assert comparison.p_value == pytest.approx(wanted.pvalue)


def test_rare_values_are_pooled_until_five_are_expected():
    rare = [f"r{at}" for at in range(12)]
    reference, live = profile(["a"] * 88 + rare, "string"), profile(["a"] * 100, "string")

    comparison = compare_profiles(reference, live)

    wanted = chi2_contingency([[88, 12], [100, 0]], correction=False)
    assert (comparison.n_bins, comparison.p_value) == (13, pytest.approx(wanted.pvalue))


@pytest.mark.parametrize(
    ("reference", "live"),
    [
        ([5.0] * 100, [4.0] * 100),
        ([5.0] * 100, [6.0] * 100),
        ([0.0] * 95 + [1.0] * 5, [0.0] * 50 + [1.0] * 50),
        ([0.0] * 5 + [1.0] * 95, [0.0] * 50 + [1.0] * 50),
        ([1.0] * 100, [1.0] * 50 + [None] * 50),
    ],
)
def test_a_move_out_of_one_heavy_value_is_seen(reference, live):
    comparison = compare_profiles(profile(reference), profile(live))

    assert comparison.psi > 0.5
    assert comparison.p_value < 1e-6


def test_null_shares_are_reported():
    comparison = compare_profiles(profile([1.0, None]), profile([None, None, 1.0, None]))

    assert (comparison.null_share_reference, comparison.null_share_live) == (0.5, 0.75)


@pytest.mark.parametrize(
    ("reference", "live", "message"),
    [
        (profile([1.0]), profile([]), "1 reference and 0 live"),
        (profile([1.0]), profile(["a"], "string"), "NumberProfile and CategoryProfile"),
        (
            profile([str(at) for at in range(2**17 + 1)], "string"),
            profile(["a"], "string"),
            "too many",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(reference, live, message):
    with pytest.raises(ColumnError, match=message):
        compare_profiles(reference, live)


def test_the_index_is_symmetric():
    one, other = np.array([10, 0, 5]), np.array([3, 9, 3])

    swapped = population_stability_index(other, one)
    assert population_stability_index(one, other) == pytest.approx(swapped, rel=1e-14)


def _moved_and_not():
    """Columns whose buckets hide a move: name, type, reference, untouched twin, moved."""
    rng = np.random.default_rng(11)

    def normal(mean):
        return rng.normal(mean, 0.5, 2000)

    def years(first, dtype):
        return rng.integers(first, first + 2, 2000).astype(dtype)

    def codes(first):
        return rng.integers(first, first + 3, 2000)

    heavy = [1000] * 100 + [1001] * 1900
    infinite = [np.inf] * 2000
    yield "integer", years(2016, "i8"), years(2016, "i8"), years(2018, "i8")
    yield "float", years(2016, "f8"), years(2016, "f8"), years(2018, "f8")
    yield "integer", codes(1000), codes(1000), codes(1004)
    yield "integer", heavy, heavy[::-1], [1005] * 2000
    yield "float", normal(1002), normal(1002), normal(1005)
    yield "float", -normal(1002), -normal(1002), -normal(1005)
    yield "float", normal(1002), normal(1002), rng.normal(1002, 2.0, 2000)
    yield "float", [5.0] * 2000, [5.0] * 500, [5.1] * 2000
    yield "float", [5.0] * 2000, [5.0] * 500, [5.0] * 1000 + [5.1] * 1000
    yield "float", rng.normal(size=2000), rng.normal(size=2000), infinite
    yield "float", normal(1002), normal(1002), infinite
    yield "float", normal(1002), normal(1002), [np.nan] * 1999 + [1002.0]
    tiny = [1e-200, 2e-200] * 1000  # Their variance is below the smallest float64.
    yield "float", tiny, tiny[::-1], [5e-200] * 2000
    yield "float", [1e-200] * 2000, [1e-200] * 500, [1e-200, 3e-200] * 1000


@pytest.mark.parametrize(("dtype", "reference", "same", "moved"), list(_moved_and_not()))
def test_a_move_within_a_bucket_is_seen_and_its_untouched_twin_is_none(
    dtype, reference, same, moved
):
    before = profile(reference, dtype)
    kept = compare_profiles(before, profile(same, dtype))
    found = compare_profiles(before, profile(moved, dtype))

    assert kept.psi < 0.05
    assert kept.p_value > 0.01
    assert found.psi > 0.5
    assert found.p_value < 1e-6


@pytest.mark.parametrize(
    ("reference", "live", "message"),
    [
        (RNG.normal(1002, 0.5, 500), [*RNG.normal(1005, 0.5, 499), 1e9], "1 of 500 live values"),
        ([5.0] * 500, [5.0] * 300 + [5.1] * 199 + [1e6], "at least 1 of 500 live values differ"),
    ],
)
def test_what_the_profiles_cannot_tell_is_no_answer(reference, live, message):
    with pytest.raises(ColumnError, match=message):
        compare_profiles(profile(reference), profile(live))


def test_the_divergence_of_unresolved_normals_is_near_its_closed_form():
    n = 200_000
    before, after = (profile(RNG.normal(mean, 0.5, n)) for mean in (1002, 1002.25))

    assert compare_profiles(before, after).psi == pytest.approx((0.25 / 0.5) ** 2, rel=0.05)


def test_values_that_a_side_does_not_list_share_one_bin():
    reference = profile(["a"] * 60 + ["b"] * 25 + ["c"] * 10 + ["d"] * 5, "string")
    live = profile(["a"] * 40 + ["c"] * 30 + ["d"] * 10 + ["e"] * 20, "string")
    short = replace(reference, counts=reference.counts.commonest(2))
    live_short = replace(live, counts=live.counts.commonest(2))

    for one, other, table in (
        (short, live, [[60, 25, 15], [40, 0, 60]]),
        (reference, live_short, [[60, 10, 30], [40, 30, 30]]),
        (short, live_short, [[60, 40], [40, 60]]),
    ):
        wanted = chi2_contingency(table, correction=False)
        assert compare_profiles(one, other).statistic == pytest.approx(wanted.statistic)
