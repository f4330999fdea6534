import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ray.data.cast import LossyCastError, can_cast, cast_exactly
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, SourceError

DAY = dt.date(2018, 1, 2)
NOON = dt.datetime(2018, 1, 2, 12)  # noqa: DTZ001 - as a file without zones holds it
MIDNIGHT = dt.datetime(2018, 1, 2)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        ([1, None, 2**53], pa.float64(), [1.0, None, 2.0**53]),
        ([1.0, None, -3.0, float("nan")], pa.int64(), [1, None, -3, None]),
        ([0, 1, None], pa.bool_(), [False, True, None]),
        ([0.0, 1.0], pa.bool_(), [False, True]),
        ([True, False], pa.float64(), [1.0, 0.0]),
        ([Decimal("0.10"), Decimal("12.50"), None], pa.float64(), [0.1, 12.5, None]),
        ([Decimal("7.00")], pa.int64(), [7]),
        (["1.50", " 2"[1:], None], pa.float64(), [1.5, 2.0, None]),
        (["007"], pa.int64(), [7]),
        ([0.1, 1e300], pa.string(), ["0.1", "1e+300"]),
        ([MIDNIGHT, None], pa.date32(), [DAY, None]),
        ([DAY], pa.timestamp("us"), [MIDNIGHT]),
        (["2018-01-02"], pa.date32(), [DAY]),
        ([b"Z\xc3\xbcrich", None], pa.string(), ["Zürich", None]),
        ([dt.time(1, 2, 3, 400_000)], pa.string(), ["01:02:03.400000"]),
    ],
)
def test_what_loses_nothing_is_cast(values, wanted, expected):
    assert cast_exactly(pa.chunked_array([values]), wanted).to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "wanted", "n_lost"),
    [
        ([2**53 + 1, 2**53 + 3, 1], pa.float64(), 2),
        ([1.5, 1e300, float("inf"), 2.0], pa.int64(), 3),
        ([2, 1, -1], pa.bool_(), 2),
        ([0.5, 1.0], pa.bool_(), 1),
        ([Decimal("12345678901234567.89"), Decimal("1.00")], pa.float64(), 1),
        ([Decimal("7.50"), Decimal("7.00")], pa.int64(), 1),
        (["x", "1", "x", "1e"], pa.float64(), 3),
        ([NOON, MIDNIGHT], pa.date32(), 1),
        (pa.array([1_000, 1_001, None], pa.time64("ns")), pa.string(), 1),
        ([b"a", b"\xff", None, b"\xfe"], pa.string(), 2),
    ],
)
def test_what_would_lose_values_is_refused_with_their_number(values, wanted, n_lost):
    with pytest.raises(LossyCastError) as caught:
        cast_exactly(pa.chunked_array([values]), wanted)

    assert caught.value.n_rows == n_lost


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers_become_floats_where_python_would_get_them_back(values):
    n_lost = sum(int(float(value)) != value for value in values)
    column = pa.chunked_array([pa.array(values, pa.int64())])

    if n_lost:
        with pytest.raises(LossyCastError) as caught:
            cast_exactly(column, pa.float64())
        assert caught.value.n_rows == n_lost
    else:
        assert cast_exactly(column, pa.float64()).to_pylist() == [float(v) for v in values]


def test_a_cast_that_means_nothing_is_not_offered():
    assert not can_cast("integer", "timestamp")
    assert not can_cast("boolean", "date")
    assert can_cast("string", "string")


def test_drift_between_files_is_an_error_or_a_declared_cast(write_parquet):
    files = [
        write_parquet("a.parquet", pa.table({"x": [1.5], "y": [1]})),
        write_parquet("b.parquet", pa.table({"x": [2], "y": [2]})),
        write_parquet("c.parquet", pa.table({"x": pa.array([Decimal("2.5")]), "y": [3]})),
    ]

    message = (
        r"b\.parquet: x: .*got integer in b\.parquet, wanted float as in a\.parquet; .*x\.cast"
    )
    with pytest.raises(SourceError, match=message):
        read_schema(files)

    schema = read_schema(files, {"x": "float"})
    cells = [read_unit(unit, schema).column("x").to_pylist() for unit in list_units(files)]
    assert cells == [[1.5], [2.0], [2.5]]


def test_a_lossy_cast_names_file_column_and_rows(write_parquet):
    file = write_parquet("a.parquet", pa.table({"x": [1.0, 1.5, 2.5]}))
    schema = read_schema([file], {"x": "integer"})

    with pytest.raises(ColumnError, match=r"a\.parquet: x: .*2 of 3 rows, row group 0 of type dou"):
        read_unit(list_units([file])[0], schema)


def test_a_cast_from_what_has_none_is_refused_before_reading(write_parquet):
    file = write_parquet("a.parquet", pa.table({"x": pa.array([[1]])}))

    with pytest.raises(SourceError, match=r"a\.parquet: x: the declared cast means nothing"):
        read_schema([file], {"x": "float"})
