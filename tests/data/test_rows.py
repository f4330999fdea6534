import warnings

import pandas as pd
import pyarrow as pa
import pytest
import ray.data

from mlops_ray.data.rows import kind_of_table, rows_of
from mlops_ray.data.snapshot_file import snapshot_schema
from mlops_ray.errors import ColumnError, ConfigError, SourceError


def table_of(rows):
    return pa.Table.from_batches(rows.batches, rows.schema)


def test_a_frame_and_a_table_give_the_same_rows():
    columns = {"n": [1, 2], "s": ["a", None], "x": [0.5, None]}

    for table in (pa.table(columns), pd.DataFrame(columns)):
        assert table_of(rows_of(table)).to_pydict() == columns


def test_a_name_that_stands_twice_in_a_frame_is_left_to_whoever_writes_it():
    table = table_of(rows_of(pd.DataFrame([[1, "a"]], columns=["x", "x"])))

    assert (table.column_names, table.column(1).to_pylist()) == (["x", "x"], ["a"])
    with pytest.raises(SourceError, match="x: two columns have one name"):
        snapshot_schema(table.schema)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ({"x": [1]}, ConfigError, "no table: got builtins.dict, wanted a pandas"),
        (pd.DataFrame({"x": [1]}, index=["a"]), SourceError, "index would be lost.*reset_index"),
        (pd.DataFrame({7: [1]}), SourceError, "name is no text: got 7"),
        (pd.DataFrame({"x": [1, "a"]}), ColumnError, "^x: .*no one type"),
    ],
)
def test_what_cannot_be_taken_as_it_is_says_why(data, kind, message):
    with pytest.raises(kind, match=message):
        rows_of(data)


def test_a_table_is_named_by_its_library():
    assert kind_of_table(pd.DataFrame()) == "pandas.DataFrame"
    assert kind_of_table(pa.table({})) == "pyarrow.Table"


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_ray_dataset_comes_in_order_in_however_many_blocks():
    expected = list(range(1000))
    with warnings.catch_warnings():  # Ray's context sets its own deprecated field.
        warnings.simplefilter("ignore", DeprecationWarning)
        ray.data.DataContext.get_current()

    for n_blocks in (1, 7):
        dataset = ray.data.from_items(expected, override_num_blocks=n_blocks)
        assert table_of(rows_of(dataset)).to_pydict() == {"item": expected}
