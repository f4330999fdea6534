import pyarrow as pa
import pytest

from mlops_ray.data.partition import partition_fields, partition_values
from mlops_ray.data.source import find_files
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import SourceError


def rows_of(files):
    schema = read_schema(files)
    return schema, [row for u in list_units(files) for row in read_unit(u, schema).to_pylist()]


def test_names_and_values_are_read_as_spark_writes_them():
    assert partition_values("a=1/b%3D=x%2Fy/c=__HIVE_DEFAULT_PARTITION__/d/0.pq") == {
        "a": "1", "b=": "x/y", "c": None,
    }  # fmt: skip
    assert partition_values("0=1.parquet") == {}


def test_folders_become_columns_with_types_as_the_values_show_them(write_parquet, tmp_path):
    for folder, value in (("y=2018/c=a", 1), ("y=07/c=__HIVE_DEFAULT_PARTITION__", 2)):
        write_parquet(f"t/{folder}/0.parquet", pa.table({"x": [value]}))

    schema, rows = rows_of(find_files("t", tmp_path))

    assert schema == {"x": "integer", "y": "integer", "c": "string"}
    assert rows == [{"x": 2, "y": 7, "c": None}, {"x": 1, "y": 2018, "c": "a"}]


def test_only_columns_of_folders_may_be_asked_for(write_parquet, write_csv, tmp_path):
    write_parquet("p/y=1/0.parquet", pa.table({"x": [5, 6]}))
    (tmp_path / "c/y=1").mkdir(parents=True)
    write_csv("c/y=1/0.csv", "x\n5\n6\n")

    for folder in ("p", "c"):
        files = find_files(folder, tmp_path)
        read = read_unit(list_units(files)[0], read_schema(files), ["y"])
        assert read.to_pydict() == {"y": [1, 1]}


def test_the_same_rows_in_a_column_of_the_file_are_the_same(write_parquet, tmp_path):
    write_parquet("t/y=3/0.parquet", pa.table({"x": [1, 2]}))
    flat = write_parquet("flat.parquet", pa.table({"x": [1, 2], "y": [3, 3]}))

    assert rows_of(find_files("t", tmp_path)) == rows_of([flat])


@pytest.mark.parametrize(
    ("other", "message"),
    [("t/b=2/0.parquet", "other columns: got b, wanted a as in"), ("t/0.parquet", "got none|a as")],
)
def test_files_parted_in_different_ways_are_refused(write_parquet, other, message):
    files = [write_parquet(name, pa.table({"x": [1]})) for name in ("t/a=1/0.parquet", other)]

    with pytest.raises(SourceError, match=message):
        partition_fields(files)


def test_a_column_in_the_file_and_in_its_folder_is_refused(write_parquet):
    file = write_parquet("y=2/0.parquet", pa.table({"y": [1]}))

    with pytest.raises(SourceError, match="stands in the file and in its folder"):
        read_schema([file])


def test_a_declared_type_wins_and_has_to_fit(write_parquet):
    file = write_parquet("d=2018-01-31/0.parquet", pa.table({"x": [1]}))
    schema = read_schema([file], {"d": "date"})

    assert schema["d"] == "date"
    (day,) = read_unit(list_units([file])[0], schema).column("d").to_pylist()
    assert day.isoformat() == "2018-01-31"
