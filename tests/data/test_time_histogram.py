from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.column_profile import TimeProfile
from mlops_ray.data.compare import compare_profiles
from mlops_ray.data.dyadic import level_of
from mlops_ray.data.profile import Profile
from mlops_ray.data.time_histogram import MAX_BINS, TimeHistogram
from mlops_ray.errors import ColumnError
from mlops_ray.manifest import canonical_bytes, from_canonical

_YEAR_US = 365 * 86_400_000_000


def ticks(kind, n=3000):
    rng = np.random.default_rng(4)
    return {
        "days": rng.integers(-20_000, 20_000, n),
        "moments": rng.integers(0, 10 * _YEAR_US, n),
        "one": np.full(n, -7),
        "few": rng.integers(0, 5, n) * _YEAR_US,
        "outlier": np.append(rng.integers(0, 300, n), 200 * _YEAR_US),
        "extremes": np.array([-(2**63), -1, 0, 2**63 - 1]),
        "none": np.zeros(0, dtype=np.int64),
    }[kind]


KINDS = ["days", "moments", "one", "few", "outlier", "extremes", "none"]


@pytest.mark.parametrize("kind", KINDS)
def test_bins_are_the_finest_that_the_limit_allows(kind):
    values = ticks(kind)
    found = TimeHistogram.of(values)

    def bins_at(level):
        return {int(value) >> level for value in values.tolist()}

    assert set(found.bins.tolist()) == bins_at(found.level)
    assert found.bins.size <= MAX_BINS
    assert found.level == 0 or len(bins_at(found.level - 1)) > MAX_BINS
    assert found.n == values.size


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_is_the_same_in_every_grouping(kind):
    values = ticks(kind)
    whole = TimeHistogram.of(values)
    for n_parts in (2, 7, 100):
        parts = [TimeHistogram.of(part) for part in np.array_split(np.sort(values), n_parts)]

        assert TimeHistogram.merged(parts) == whole
        nested = [TimeHistogram.merged(parts[:1]), TimeHistogram.merged(parts[1:])]
        assert TimeHistogram.merged(nested) == whole
    read = from_canonical(canonical_bytes(whole.to_json()))
    assert TimeHistogram.from_json(read) == whole


def test_the_level_counts_distinct_prefixes():
    words = np.unique(np.random.default_rng(1).integers(0, 2**63, 5000)).astype(np.uint64)
    for limit in (2, 16, 300):
        level = level_of(words, limit)

        assert np.unique(words >> np.uint64(level)).size <= limit
        assert np.unique(words >> np.uint64(level - 1)).size > limit


def day_profile(offsets):

    days = [date(2020, 1, 1) + timedelta(days=int(at)) for at in offsets]
    return Profile.of(pa.table({"d": pa.array(days, pa.date32())}), {"d": "date"}).columns["d"]


def test_times_that_moved_are_told_from_times_that_did_not():
    rng = np.random.default_rng(2)
    reference = day_profile(rng.integers(0, 3000, 4000))
    same, later = (day_profile(rng.integers(low, low + 3000, 4000)) for low in (0, 600))

    unmoved, moved = (compare_profiles(reference, live) for live in (same, later))

    assert unmoved.p_value > 0.01
    assert unmoved.psi < 0.05
    # A fifth of the live rows lies where there was none, and the first fifth is empty.
    assert moved.psi > 1.0
    assert moved.p_value < 1e-100


def test_one_time_and_another_are_told_apart():
    constant, other = day_profile([5] * 500), day_profile([6] * 500)

    assert compare_profiles(constant, constant).psi == 0.0
    assert compare_profiles(constant, other).psi > 1.0


def test_a_profile_without_counted_times_says_so():
    old = TimeProfile("date", 10, 0, 0, 9, None)

    with pytest.raises(ColumnError, match="version 1 does not count times"):
        compare_profiles(old, old)
    assert TimeProfile.merged([old, old]).histogram is None
