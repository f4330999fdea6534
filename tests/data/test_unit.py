import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mlops_ray.data import unit as unit_module
from mlops_ray.data.schema import ARROW_TYPES
from mlops_ray.data.source import FoundFile
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, SourceError


def test_units_follow_file_name_and_row_group(tmp_path):
    files = []
    for name, groups in (("b", 2), ("a", 3)):
        pq.write_table(pa.table({"x": range(groups)}), tmp_path / name, row_group_size=1)
        files.append(FoundFile(name, tmp_path / name, "parquet", 1))

    units = list_units(files)

    assert [(u.index, u.name, u.row_group) for u in units] == [
        (0, "a", 0), (1, "a", 1), (2, "a", 2), (3, "b", 0), (4, "b", 1),
    ]  # fmt: skip


ONE_EACH = [[2], [2], [3], [2], [1], [1], [3], [1], [4], [9], [1]]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((4,), [[2, 2], [3], [2, 1, 1], [3, 1], [4], [9], [1]]),
        ((4, 2**26, 2), [[2, 2], [3], [2, 1], [1, 3], [1], [4], [9], [1]]),
        ((4, 1), ONE_EACH),
        ((29,), ONE_EACH),
        ((29, 2**26, 64, 10), [[2, 2, 3, 2, 1, 1, 3, 1, 4, 9, 1]]),
    ],
)
def test_small_neighbours_are_one_unit_where_there_is_much_or_many(
    write_parquet, monkeypatch, limits, expected
):
    sizes = (2, 2, 3, 2, 1, 1, 3, 1, 4, 9, 1)
    files = [
        write_parquet(f"{at:02}.parquet", pa.table({"x": range(n)})) for at, n in enumerate(sizes)
    ]
    names = ("_ROWS_A_UNIT", "_BYTES_A_UNIT", "_PIECES_A_UNIT", "_MANY")
    for name, value in zip(names, limits, strict=False):
        monkeypatch.setattr(unit_module, name, value)

    units, schema = list_units(files), read_schema(files)

    assert [[sizes[int(p.name[:2])] for p in u.pieces] for u in units] == expected
    assert [unit.index for unit in units] == list(range(len(expected)))
    read = [x for unit in units for x in read_unit(unit, schema).column("x").to_pylist()]
    assert read == [x for n in sizes for x in range(n)]


def test_columns_come_in_canonical_types_with_their_values(write_parquet):
    day = dt.date(2018, 1, 2)
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int8()),
            "f": pa.array([0.5, None], pa.float32()),
            "s": pa.array(["a", None], pa.large_string()),
            "d": pa.array(["p", None], pa.string()).dictionary_encode(),
            "b": pa.array([True, None]),
            "t": pa.array(
                [dt.datetime(2018, 1, 2, tzinfo=dt.UTC), None], pa.timestamp("ns", "UTC")
            ),
            "y": pa.array([day, None], pa.date64()),
        }
    )
    file = write_parquet("a.parquet", table)
    schema = read_schema([file])

    read = read_unit(list_units([file])[0], schema)

    assert [field.type for field in read.schema] == [ARROW_TYPES[schema[c]] for c in schema]
    naive = dt.datetime(2018, 1, 2)  # noqa: DTZ001 - UTC without its name
    assert [column[0].as_py() for column in read.columns] == [1, 0.5, "a", "p", True, naive, day]
    assert all(column.null_count == 1 for column in read.columns)


def test_only_the_columns_asked_for_are_read_in_that_order(write_parquet):
    file = write_parquet("a.parquet", pa.table({"x": [1], "y": [2], "z": [3]}))

    read = read_unit(list_units([file])[0], read_schema([file]), ["z", "x"])

    assert read.to_pylist() == [{"z": 3, "x": 1}]


def test_a_number_too_large_for_the_type_names_file_and_column(write_parquet):
    file = write_parquet("a.parquet", pa.table({"x": pa.array([2**63], pa.uint64())}))

    with pytest.raises(ColumnError, match=r"a\.parquet: x"):
        read_unit(list_units([file])[0], read_schema([file]))


def test_a_flipped_byte_in_a_page_is_noticed(write_parquet):
    file = write_parquet("a.parquet", pa.table({"x": np.random.default_rng(0).normal(size=1000)}))
    (unit,), schema = list_units([file]), read_schema([file])
    content = bytearray(file.path.read_bytes())
    content[2000] ^= 1
    file.path.write_bytes(content)

    with pytest.raises(SourceError, match=r"a\.parquet"):
        read_unit(unit, schema)


def test_a_torn_file_and_no_file_are_source_errors(write_parquet, tmp_path):
    file = write_parquet("a.parquet", pa.table({"x": [1]}))
    file.path.write_bytes(file.path.read_bytes()[:50])

    with pytest.raises(SourceError, match="cannot read"):
        read_schema([file])
    with pytest.raises(SourceError, match="cannot read"):
        list_units([FoundFile("b", tmp_path / "b", "parquet", 0)])
    with pytest.raises(SourceError, match="no input files"):
        read_schema([])


NANOSECONDS = pa.array([1_001, 0], pa.timestamp("ns"))


@pytest.mark.parametrize("name", ["x", "no", "a b: c", 'ä"}'])
@pytest.mark.parametrize(
    ("column", "text", "got"),
    [
        (pa.array([2**64 - 1, 1], pa.uint64()), str(2**64 - 1), "integers from 2^63 on (uint64)"),
        (
            NANOSECONDS,
            "1970-01-01 00:00:00.000001001",
            "times finer than microseconds (timestamp[ns])",
        ),
        (
            NANOSECONDS.cast(pa.timestamp("ns", "UTC")),
            "1970-01-01 00:00:00.000001001",
            "times finer than microseconds (timestamp[ns, tz=UTC])",
        ),
    ],
)
def test_a_value_beyond_the_canonical_type_is_refused_with_the_cast_that_keeps_it(
    write_parquet, name, column, text, got
):
    file = write_parquet("a.parquet", pa.table({name: column}))

    with pytest.raises(ColumnError) as caught:
        read_unit(list_units([file])[0], read_schema([file]))
    error = caught.value
    assert (error.where.file, error.where.key, error.got) == ("a.parquet", name, got)

    # What is to be written, taken as it stands.
    written = yaml.safe_load(error.hint.partition("as text: ")[2])
    casts = {column: declared["cast"] for column, declared in written["data"]["columns"].items()}
    schema = read_schema([file], casts)
    assert read_unit(list_units([file])[0], schema).to_pylist()[0] == {name: text}


def test_a_carried_column_of_another_type_than_was_listed_is_refused(write_parquet):
    file = write_parquet("a.parquet", pa.table({"x": [[1]]}))
    schema, (unit,) = read_schema([file]), list_units([file])
    write_parquet("a.parquet", pa.table({"x": [["1"]]}))

    with pytest.raises(ColumnError, match=r"a\.parquet: x: .*got list<string>, wanted list<int"):
        read_unit(unit, schema)
