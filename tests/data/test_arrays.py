import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.arrays import null_mask, to_codes, to_integers, to_numbers, to_ticks
from mlops_ray.errors import ColumnError


def test_nulls_become_nan_and_minus_zero_becomes_zero():
    values = to_numbers(pa.chunked_array([[1.5, None], [-0.0, float("nan")]]))

    assert np.isnan(values).tolist() == [False, True, False, True]
    assert not np.signbit(values[2])


def test_booleans_are_numbers_and_large_integers_round_to_even():
    assert to_numbers(pa.array([True, None, False])).tolist()[::2] == [1.0, 0.0]
    assert to_numbers(pa.array([2**53 + 1])).tolist() == [float(2**53 + 1)]
    assert to_integers(pa.array([2**53 + 1, None])).tolist() == [2**53 + 1, 0]


def test_nan_is_no_null():
    assert null_mask(pa.array([float("nan"), None])).tolist() == [False, True]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", None, "a", "b"]),
        pa.array(["b", None, "a", "b"], pa.large_string()),
        pa.chunked_array([["b", None], ["a", "b"]]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([2, 0, 1, 2], pa.int8()), [None, "a", "b"]),
    ],
)
def test_codes_and_values_spell_the_column_however_it_is_encoded(column):
    codes, values = to_codes(column)

    assert [None if code < 0 else values[code] for code in codes] == ["b", None, "a", "b"]


def test_text_that_is_not_utf8_names_its_column():
    broken = pa.array([b"\xff"]).view(pa.string())

    with pytest.raises(ColumnError, match="'name' holds text that is not UTF-8"):
        to_codes(broken, "name")


def test_ticks_count_days_or_microseconds_since_1970():
    day = dt.date(1970, 1, 3)

    assert to_ticks(pa.array([day, None], pa.date64())).tolist() == [2, 0]
    assert to_ticks(pa.array([day]).cast(pa.timestamp("s"))).tolist() == [2 * 86_400_000_000]
