import pytest

from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, SourceError


def read(*files):
    schema = read_schema(files)
    tables = [read_unit(unit, schema) for unit in list_units(files)]
    return schema, [row for table in tables for row in table.to_pylist()]


def test_types_come_from_the_first_file(write_csv):
    first = write_csv("a.csv", "n,x,s,b,d\n1,0.5,u,true,2018-01-02\n")
    second = write_csv("b.csv", "d,b,s,x,n\n2018-01-03,false,7,2,3\n")

    schema, rows = read(first, second)

    assert schema == {"n": "integer", "x": "float", "s": "string", "b": "boolean", "d": "date"}
    assert (rows[1]["s"], rows[1]["x"], rows[1]["n"]) == ("7", 2.0, 3)


def test_empty_cells_are_null_in_every_type_and_quoted_words_are_text(write_csv):
    file = write_csv("a.csv", 'n,s\n1,x\n,\nNA,NA\n4,"NA"\n')

    _, rows = read(file)

    assert [row["n"] for row in rows] == [1, None, None, 4]
    assert [row["s"] for row in rows] == ["x", None, None, "NA"]


def test_a_cell_that_does_not_fit_names_file_column_and_type(write_csv):
    first = write_csv("a.csv", "k,n\nu,1\n")
    second = write_csv("b.csv", "n,k\n1,u\nmany,v\n")

    with pytest.raises(ColumnError, match=r"b\.csv: n: .*Row #3.*invalid.*integer") as caught:
        read(first, second)
    assert "many" not in str(caught.value)


def test_files_with_other_columns_and_empty_files_are_refused(write_csv):
    first = write_csv("a.csv", "n,m\n1,2\n")

    with pytest.raises(SourceError, match=r"no such column in b\.csv"):
        read(first, write_csv("b.csv", "n\n1\n"))
    with pytest.raises(SourceError, match="cannot read"):
        read(write_csv("c.csv", ""))


def test_times_with_a_zone_are_read_as_utc(write_csv):
    file = write_csv("a.csv", "t\n2018-01-01 02:00:00+02:00\n2018-01-01 00:00:00Z\n")

    schema, rows = read(file)

    assert schema == {"t": "timestamp"}
    assert {str(row["t"]) for row in rows} == {"2018-01-01 00:00:00"}


@pytest.mark.parametrize(
    ("text", "encoding", "line"),
    [
        ("n,s\n1,a\n2,Zürich\n", "latin-1", 3),
        ("n,größe\n1,a\n", "latin-1", 1),
        ("n,s\n1,a\n", "utf-16", 1),
    ],
)
def test_a_file_that_is_not_utf8_says_so_with_its_line(write_csv, text, encoding, line):
    file = write_csv("a.csv", text)
    assert read(file)[1]

    file.path.write_bytes(text.encode(encoding))

    with pytest.raises(SourceError, match=rf"^a\.csv:{line}: the CSV file is not UTF-8"):
        read(file)


def test_a_later_file_that_is_not_utf8_is_named(write_csv):
    first, second = write_csv("a.csv", "s\nx\n"), write_csv("b.csv", "s\nZürich\n")
    schema, units = read_schema([first, second]), list_units([first, second])

    second.path.write_bytes("s\nZürich\n".encode("latin-1"))

    assert read_unit(units[0], schema).num_rows == 1
    with pytest.raises(SourceError, match=r"^b\.csv:2: the CSV file is not UTF-8"):
        read_unit(units[1], schema)


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([str(2**63), str(2**63 + 1), ""], "string"),
        ([str(-(2**63) - 1), "5", str(2**80)], "string"),
        ([str(2**63 - 1), "5", str(-(2**63))], "integer"),
        ([str(2**63), "0.5", "5"], "float"),  # Floats, of which one is written as a whole number.
        (["2.5e19", "1e300", "5"], "float"),
    ],
)
def test_whole_numbers_of_more_than_64_bits_keep_every_digit(write_csv, cells, dtype):
    file = write_csv("a.csv", "n,k\n" + "".join(f"{cell},1\n" for cell in cells))

    schema, rows = read(file)

    assert schema == {"n": dtype, "k": "integer"}
    if dtype != "float":
        wanted = [cell or None for cell in cells]
        assert [row["n"] and str(row["n"]) for row in rows] == wanted
    as_floats = read_unit(list_units([file])[0], read_schema([file], {"n": "float"}))
    assert as_floats.column("n").to_pylist() == [float(cell) if cell else None for cell in cells]
