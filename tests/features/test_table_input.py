import datetime as dt
import json
import traceback
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ray.config import FeatureGroup
from mlops_ray.data.arrays import to_numbers
from mlops_ray.data.profile import Profile
from mlops_ray.errors import ColumnError
from mlops_ray.features import CompiledTransform, FeatureState, number_feature, one_hot_feature
from mlops_ray.features.fit import fit_features
from mlops_ray.features.plan import resolve_features

NUMBER = CompiledTransform(FeatureState((number_feature("x", "integer", None, None, None),)))
CODES = CompiledTransform(FeatureState((one_hot_feature("x", "integer", (-1, 3, 2**60)),)))
FLAG = CompiledTransform(FeatureState((number_feature("x", "boolean", None, None, None),)))
TEXT = CompiledTransform(FeatureState((one_hot_feature("x", "string", ("a",)),)))


@pytest.mark.parametrize(
    ("transform", "column", "message"),
    [
        (NUMBER, pa.array(["1"]), "got string, wanted integer"),
        (NUMBER, pa.array([True]), "got boolean, wanted integer"),
        (NUMBER, pa.array([1.0, 1.5]), "not whole: got 1 of 2, the first in row 1"),
        (FLAG, pa.array([1]), "got integer, wanted boolean"),
        (TEXT, pa.array([1]), "got integer, wanted string"),
        (TEXT, pa.array([b"a"]), "got binary, wanted string"),
    ],
)
def test_a_column_of_another_type_is_refused(transform, column, message):
    with pytest.raises(ColumnError, match=f"x: .*{message}"):
        transform.from_table(pa.table({"x": column}))


def test_an_absent_column_names_the_nearest():
    with pytest.raises(ColumnError, match=r"x: no such column in the table: .*; did you mean 'xx'"):
        NUMBER.from_table(pa.table({"xx": [1]}))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, -1, None, 2**60, 4]),
        pa.array([3.0, -1.0, None, 2.0**60, 1e300]),
        pa.array([3.0, -1.0, float("nan"), 2.0**60, float("inf")]),
        pa.array([3, -1, None, 2**60, 4]).dictionary_encode(),
    ],
)
def test_integer_categories_are_matched_exactly_in_every_stored_type(column):
    matrix = CODES.from_table(pa.table({"x": column}))

    assert matrix.argmax(axis=1)[[0, 1, 3]].tolist() == [1, 0, 2]
    assert matrix.sum(axis=1).tolist() == [1, 1, 0, 1, 0]


@pytest.mark.parametrize("transform", [CODES, TEXT])
def test_a_column_without_type_is_all_missing(transform):
    assert not transform.from_table(pa.table({"x": pa.nulls(3)})).any()


@pytest.mark.parametrize("stored", [pa.decimal128(38, 6), pa.decimal256(60, 20)])
def test_a_decimal_has_the_bits_of_its_digits_in_json(stored):
    """Also where the unscaled number is more than 2^53, so that one division does not do."""
    transform = CompiledTransform(FeatureState((number_feature("x", "float", 0.0, 0.1, 3.0),)))
    texts = ["0.1", "-12.34", "9007199254740993.5", "123456789012345678.000001", "1e-6", "0", None]
    table = pa.table({"x": pa.array([t and Decimal(t) for t in texts], stored)})
    records = [{"x": None if text is None else json.loads(text)} for text in texts]

    whole = transform.from_table(table)

    assert whole.tobytes() == transform.from_records(records).tobytes()
    alone = [transform.from_table(table.slice(at, 1)) for at in range(len(texts))]
    assert whole.tobytes() == np.concatenate(alone).tobytes()


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20),
                   max_value=10**20))  # fmt: skip
def test_a_decimal_is_the_nearest_float(value):
    found = to_numbers(pa.array([value], pa.decimal128(38, 12)))

    assert found.tolist() == [float(str(value)) + 0.0]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Zurich"])
def test_a_time_with_a_zone_is_its_moment_on_both_front_ends(zone):
    state = fitted_times(["hour", "day"])
    moment = dt.datetime(2018, 1, 31, 23, 30, tzinfo=dt.UTC)
    table = pa.table({"at": pa.array([moment], pa.timestamp("us", zone))})
    texts = ["2018-01-31T23:30:00Z", "2018-02-01T00:30:00+01:00", "2018-01-31T23:30:00"]

    found = CompiledTransform(state).from_table(table)

    assert found.tolist() == [[23.0, 31.0]]
    for text in texts:
        assert CompiledTransform(state).from_records([{"at": text}]).tolist() == found.tolist()


def fitted_times(parts):
    schema = {"at": "timestamp"}
    declared = FeatureGroup.model_validate({"columns": ["at"], "steps": [{"date_parts": parts}]})
    profile = Profile.of(pa.table({"at": pa.array([0], pa.timestamp("us"))}), schema)
    return fit_features(resolve_features([declared], schema, set()), profile)


TIME = {"columns": ["t"], "steps": [{"date_parts": {"parts": ["year"]}}]}


def test_a_value_that_cannot_be_used_is_told_by_its_row_and_never_itself(bench, with_key):
    times = pa.array([0, 4711 * 10**9], pa.timestamp("us"))
    transform = CompiledTransform(bench.fit([TIME], with_key(t=times)))
    columns = {
        "x": (NUMBER, pa.array([2.0, 4711.5])),
        "t": (transform, pa.array([0, 47110000000000001], pa.timestamp("ns"))),
    }

    for name, (used, column) in columns.items():
        with pytest.raises(ColumnError, match=f"^{name}: ") as caught:
            used.from_table(pa.table({name: column}))
        assert "4711" not in "".join(traceback.format_exception(caught.value))
