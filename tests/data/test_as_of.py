import datetime as dt

import pyarrow as pa
import pytest

from mlops_ray.data.as_of import check_as_of
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError


@pytest.fixture
def scanned(write_parquet):
    def run(values):
        file = write_parquet("a.parquet", pa.table({"t": values}))
        return scan(list_units([file]), ScanPlan(read_schema([file]), None), map_in_process)

    return run


NOON = dt.datetime(2018, 1, 2, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "fits", "early"),
    [
        ([dt.date(2018, 1, 2), None], "2018-01-02", "2018-01-01"),
        ([dt.date(2018, 1, 2)], "2018-01-02T00:00:01", "2018-01-01T23:59:59"),
        ([NOON], "2018-01-02T12:00:00", "2018-01-02"),
        ([NOON], "2018-01-02T14:00:00+02:00", "2018-01-02T12:00:00+02:00"),
        ([dt.datetime(1960, 1, 1, tzinfo=dt.UTC)], "1960-01-01", "1959-12-31T23:59:59.999999"),
    ],
)
def test_a_later_row_is_refused_and_the_same_moment_is_not(scanned, values, fits, early):
    found = scanned(values)
    check_as_of(found, "t", fits)

    with pytest.raises(ColumnError, match=r"^t: rows are later than 'as_of': got \d") as caught:
        check_as_of(found, "t", early)
    assert caught.value.wanted == f"at most {early}"


def test_a_year_cannot_be_compared_with_a_moment(scanned):
    check_as_of(scanned([2018]), "t", "1999-01-01")
