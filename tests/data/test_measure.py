import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.cells import decode
from mlops_ray.data.column_profile import column_profile_from_json, merge_columns
from mlops_ray.data.counts import MAX_DISTINCT
from mlops_ray.data.measure import measure_column
from mlops_ray.data.row_parts import PIECE_ROWS, RowParts
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

COLUMNS = [
    ("integer", pa.array([3, None, 2**60, -3, 3])),
    ("float", pa.array([0.5, None, np.nan, -2.0, np.inf])),
    ("string", pa.array(["b", None, "a", "b", ""])),
    ("boolean", pa.array([True, None, False, True, True])),
    ("date", pa.array([dt.date(2018, 1, 2), None, dt.date(1960, 5, 6), None, None])),
    ("timestamp", pa.array([dt.datetime(2018, 1, 2, 3), None, None, None, None])),  # noqa: DTZ001
]


def measured(column, dtype):
    return merge_columns(parts_of(column, dtype, RowParts.whole(len(column))))


def parts_of(column, dtype, rows):
    return measure_column(decode(column, dtype), dtype, rows)


def test_numbers_are_counted_and_summed_without_nulls_nan_and_infinities():
    profile = measured(COLUMNS[1][1], "float")

    assert (profile.n_rows, profile.n_null, profile.n_extreme) == (5, 2, 1)
    assert (profile.minimum, profile.maximum, profile.sums.mean) == (-2.0, 0.5, -0.75)
    assert dict(profile.counts.counts) == {-2.0: 1, 0.5: 1}


def test_more_floats_than_can_be_listed_are_not_counted():
    values = np.random.default_rng(0).normal(size=2 * MAX_DISTINCT["float"])

    assert measured(pa.array(values), "float").counts.is_overflow


def test_integers_are_counted_by_value_too():
    assert dict(measured(COLUMNS[0][1], "integer").counts.counts) == {-3: 1, 3: 2, 2**60: 1}


def test_categories_and_booleans_are_counted():
    assert dict(measured(COLUMNS[2][1], "string").counts.counts) == {"": 1, "a": 1, "b": 2}
    assert dict(measured(COLUMNS[3][1], "boolean").counts.counts) == {False: 1, True: 3}


def test_times_have_bounds_written_as_iso_dates():
    profile = measured(COLUMNS[4][1], "date")

    assert profile.to_json()["minimum"] == "1960-05-06"
    assert (profile.n_null, profile.maximum) == (
        3,
        (dt.date(2018, 1, 2) - dt.date(1970, 1, 1)).days,
    )


@pytest.mark.parametrize(("dtype", "column"), COLUMNS)
def test_groups_add_up_to_the_whole_and_json_round_trips(dtype, column):
    whole = measured(column, dtype)

    for codes in ([0, 0, 1, 1, 1], [1, 0, 1, 0, 0], [1, 1, 1, 1, 1]):
        parts = parts_of(column, dtype, RowParts.of_codes(np.array(codes), 2))
        assert merge_columns(parts) == whole
    assert column_profile_from_json(from_canonical(canonical_bytes(whole.to_json()))) == whole


def test_quantiles_stay_between_minimum_and_maximum():
    profile = measured(pa.array([100.5, 101.0]), "float")

    assert (profile.quantile(0.0), profile.quantile(1.0)) == (100.5, 100.5)
    assert np.isnan(measured(pa.nulls(5, pa.float64()), "float").quantile(0.5))


def test_kinds_do_not_mix():
    with pytest.raises(TypeError, match="NumberProfile with CategoryProfile"):
        merge_columns([measured(COLUMNS[0][1], "integer"), measured(COLUMNS[2][1], "string")])


def test_statistics_of_many_pieces_are_those_of_numpy():
    rng = np.random.default_rng(4)
    n_rows = 2 * PIECE_ROWS + 17
    values, codes = rng.normal(3, 100, n_rows), rng.integers(0, 2, n_rows)
    is_null = rng.random(n_rows) < 0.1
    column = pa.array(values, mask=is_null)

    parts = parts_of(column, "float", RowParts.of_codes(codes, 2))

    for part, profile in enumerate(parts):
        own = values[(codes == part) & ~is_null]
        assert profile.sums.n == profile.histogram.n == own.size
        assert (profile.minimum, profile.maximum) == (own.min(), own.max())
        assert profile.sums.mean == pytest.approx(own.mean(), rel=1e-13)
        assert profile.sums.variance == pytest.approx(own.var(), rel=1e-12)
        assert profile.n_null == (is_null & (codes == part)).sum()
