"""What each step does with nulls, unseen categories, values out of range and empty columns."""

import math

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.errors import ColumnError, RecordError
from mlops_ray.features import CompiledTransform
from mlops_ray.features.steps import DECLARABLE, STEPS

NAN = math.nan


def same(got, wanted):
    return np.array_equal(np.float32(got), np.float32(wanted), equal_nan=True)


@pytest.fixture
def fitted(bench, with_key):
    """The transform of one column `x` after some steps."""

    def fit(values, *steps, dtype=None):
        table = with_key(x=pa.array(values, dtype))
        groups = [{"columns": ["x"], "steps": list(steps)}]
        return CompiledTransform(bench.fit(groups, table, labels=(0, 1)))

    return fit


NUMBERS = [1.0, 2.0, None, 3.0, 10.0]
WORDS = ["a", "a", "b", None, "b", "a"]


@pytest.mark.parametrize(
    ("values", "step", "given", "wanted"),
    [
        (NUMBERS, {"impute": "mean"}, None, [4.0]),
        (NUMBERS, {"impute": {"value": 7, "indicator": True}}, None, [7.0, 1.0]),
        (NUMBERS, "standardize", None, [NAN]),
        (NUMBERS, {"min_max": "keep"}, 19.0, [2.0]),
        (NUMBERS, {"min_max": "clip"}, 19.0, [1.0]),
        (NUMBERS, {"min_max": "clip"}, None, [NAN]),
        (NUMBERS, {"clip": [2, 3]}, None, [NAN]),
        (NUMBERS, {"clip": [2, 3]}, -9.0, [2.0]),
        (NUMBERS, {"log": {"out_of_range": "null"}}, -2.0, [NAN]),
        (NUMBERS, {"log": {"out_of_range": "null"}}, -1.0, [NAN]),
        (NUMBERS, {"log": "log1p"}, None, [NAN]),
        (NUMBERS, {"power": {"method": "sqrt", "out_of_range": "null"}}, -2.0, [NAN]),
        (NUMBERS, {"bins": [2, 3]}, 1e9, [2.0]),
        (NUMBERS, {"bins": [2, 3]}, None, [NAN]),
        (NUMBERS, {"bins": {"edges": [2, 3], "encode": "one_hot"}}, None, [0, 0, 0]),
        (WORDS, "one_hot", None, [0, 0]),
        (WORDS, "one_hot", "new", [0, 0]),
        (WORDS, {"one_hot": {"null": "category"}}, None, [0, 0, 1]),
        (WORDS, {"one_hot": {"min_count": 3}}, "b", [0]),
        (WORDS, "ordinal", "new", [-1]),
        (WORDS, "ordinal", None, [NAN]),
        (WORDS, {"ordinal": {"null": -2, "unseen": 9}}, None, [-2]),
        (WORDS, {"ordinal": {"null": -2, "unseen": 9}}, "new", [9]),
        (WORDS, "frequency", "new", [0]),
        (WORDS, "frequency", None, [1 / 6]),
        (WORDS, {"frequency": {"null": "keep"}}, None, [NAN]),
        (WORDS, {"hashing": 4}, None, [0, 0, 0, 0]),
        (WORDS, {"target": {"smoothing": 0}}, "new", [0.5]),
        (WORDS, {"target": {"smoothing": 0}}, None, [1.0]),
    ],
)  # fmt: skip
def test_a_value_that_is_not_plain_is_answered_as_declared(fitted, values, step, given, wanted):
    transform = fitted(values, step)

    assert same(transform.from_records([{"x": given}])[0], wanted)
    dtype = pa.string() if values is WORDS else pa.float64()
    assert same(transform.from_table(pa.table({"x": pa.array([given], dtype)}))[0], wanted)


@pytest.mark.parametrize(
    ("values", "step", "given"),
    [
        (NUMBERS, {"log": "log1p"}, -2.0),
        (NUMBERS, {"log": "log"}, 0.0),
        (NUMBERS, {"power": {"method": "box_cox", "lambda": 0.0}}, 0.0),
        (NUMBERS, {"power": "sqrt"}, -1e-9),
        (NUMBERS, {"power": {"method": "yeo_johnson", "lambda": 10.0}}, 1e200),
        (WORDS, {"one_hot": {"unseen": "error"}}, "new"),
        (WORDS, {"one_hot": {"null": "error"}}, None),
        (WORDS, {"ordinal": {"unseen": "error"}}, "new"),
        (WORDS, {"ordinal": {"null": "error"}}, None),
        (WORDS, {"frequency": {"unseen": "error"}}, "new"),
        (WORDS, {"hashing": {"n_buckets": 4, "null": "error"}}, None),
        (WORDS, {"target": {"unseen": "error"}}, "new"),
    ],
)  # fmt: skip
def test_a_value_that_is_declared_an_error_names_row_and_column(fitted, values, step, given):
    there = [value for value in values if value is not None]
    transform = fitted(there, step)
    rows = [there[0], there[1], given]

    with pytest.raises(RecordError, match="record 2: ") as by_record:
        transform.from_records([{"x": value} for value in rows])
    dtype = pa.string() if values is WORDS else pa.float64()
    with pytest.raises(ColumnError, match="record 2: ") as by_table:
        transform.from_table(pa.table({"x": pa.array(rows, dtype)}))
    assert by_record.value.where.key == by_table.value.where.key == "x"
    assert len(transform.from_records([{"x": value} for value in rows[:2]])) == 2


@pytest.mark.parametrize("step", [{"ordinal": {"null": "error"}}, {"frequency": {"null": "error"}}])
def test_training_rows_that_a_step_refuses_stop_the_fit(fitted, step):
    with pytest.raises(ColumnError, match="training rows hold nulls that the step refuses"):
        fitted(WORDS, step)


@pytest.mark.parametrize(
    ("dtype", "step"),
    [
        *((pa.float64(), step) for step in (
            {"impute": "mean"}, {"impute": "median"}, "standardize", "min_max", "robust",
            {"clip": {"quantiles": [0.1, 0.9]}}, {"bins": 4}, {"bins": {"uniform": 4}},
        )),
        *((pa.string(), step) for step in ("one_hot", "ordinal", "frequency", {"impute": "mode"})),
    ],
)  # fmt: skip
def test_a_column_without_any_value_is_refused_with_the_counts(fitted, dtype, step):
    steps = [step, "one_hot"] if step == {"impute": "mode"} else [step]
    with pytest.raises(ColumnError, match=r"3 nulls in 3 rows|stands 0 times") as caught:
        fitted([None] * 3, *steps, dtype=dtype)

    assert caught.value.where.key == "x"


@pytest.mark.parametrize(
    ("dtype", "steps", "wanted"),
    [
        (pa.float64(), [{"impute": {"value": 2}}, "standardize"], [0.0]),
        (pa.float64(), [{"clip": [0, 1]}], [NAN]),
        (pa.float64(), [{"log": "log"}], [NAN]),
        (pa.float64(), [{"bins": [0.5]}], [NAN]),
        (pa.string(), [{"hashing": 2}], [0, 0]),
        (pa.string(), [{"ordinal": {"order": ["a"]}}], [NAN]),
        (pa.string(), [{"impute": {"value": "a"}}, "one_hot"], [1]),
    ],
)
def test_steps_that_need_no_value_take_an_empty_column(fitted, dtype, steps, wanted):
    assert same(fitted([None] * 3, *steps, dtype=dtype).from_records([{"x": None}])[0], wanted)


def test_a_constant_column_becomes_zero_or_one_bin(fitted):
    values = [4.2] * 7
    for step in ("standardize", "min_max", "robust", {"bins": 3}, {"bins": {"uniform": 3}}):
        assert fitted(values, step).from_records([{"x": 4.2}]).tolist() == [[0.0]]


def test_equal_quantiles_are_one_edge(fitted):
    values = [0.0] * 90 + [1.5] * 10

    transform = fitted(values, {"bins": 4})

    assert transform.from_records([{"x": x} for x in (-5.0, 0.0, 1.0, 9.0)]).tolist() == [[0]] * 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["x"], "a text that is none, wanted a time in ISO 8601"),
        ([5], "type int, wanted a time in ISO 8601"),
        (["0001-01-01T00:00:00+12:00"], "a text that is none"),
    ],
)
def test_what_is_no_time_is_refused(fitted, values, message):
    times = np.arange("2020-01-01", "2020-02-01", dtype="M8[D]").astype("M8[us]")
    transform = fitted(times, {"date_parts": ["month"]})

    with pytest.raises(RecordError, match=message):
        transform.from_records([{"x": value} for value in values])


def test_times_outside_the_calendar_are_refused(fitted):
    times = np.array(["2020-01-01", "2020-02-01"], dtype="M8[us]")
    transform = fitted(times, {"date_parts": ["month"]})
    far = pa.table({"x": np.array(["2020-01-01", "10000-01-01"], dtype="M8[us]")})

    with pytest.raises(ColumnError, match="x: a time cannot be used: got row 1"):
        transform.from_table(far)


@pytest.mark.parametrize(("unit", "tick"), [("ns", 1), ("s", 10**15)])
def test_times_that_no_microsecond_holds_are_refused(fitted, unit, tick):
    times = np.array(["2020-01-01", "2020-02-01"], dtype="M8[us]")
    transform = fitted(times, {"date_parts": ["month"]})
    whole = pa.table({"x": pa.array([10**9 if unit == "ns" else 1], pa.timestamp(unit))})

    assert transform.from_table(whole).tolist() == [[1.0]]
    with pytest.raises(ColumnError, match="x: a time cannot be used: got Casting"):
        transform.from_table(pa.table({"x": pa.array([tick], pa.timestamp(unit))}))


def test_every_step_declares_what_it_does():
    for name in DECLARABLE:
        policies = STEPS[name].policies
        assert policies.null, name
        assert policies.empty, name
