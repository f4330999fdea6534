import gzip
import json
import re

import pytest

from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.source import FoundFile
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, SourceError


@pytest.fixture
def write(tmp_path):
    def put(name, *rows):
        text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
        data = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        return FoundFile(name, tmp_path / name, "jsonl", len(data))

    return put


def read(*files, casts=None):
    schema = read_schema(files, casts)
    return schema, [row for u in list_units(files) for row in read_unit(u, schema).to_pylist()]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_members_come_with_the_types_that_json_shows(write, name):
    file = write(
        name,
        {"n": 1, "x": 0.5, "b": True, "s": "u", "d": "2018-01-02", "t": "2018-01-02T00:00:01"},
        {"t": None, "x": 2, "z": "2018-01-02T01:00:00.25+01:00", "m": "2018-01-02"},
        {"m": "soon"},
    )

    schema, rows = read(file)

    assert schema == {
        "n": "integer", "x": "float", "b": "boolean", "s": "string", "d": "date",
        "t": "timestamp", "z": "timestamp", "m": "string",
    }  # fmt: skip
    assert str(rows[0]["t"]), str(rows[1]["z"]) == ("2018-01-02 00:00:01", "2018-01-02 00:00:00.25")
    assert [row["n"] for row in rows] == [1, None, None]
    assert [row["x"] for row in rows] == [0.5, 2.0, None]


def test_files_that_show_other_types_disagree_unless_a_cast_is_declared(write):
    files = [write("a.jsonl", {"x": 1}), write("b.jsonl", {"x": 1.5})]

    with pytest.raises(SourceError, match=r"b\.jsonl: x: .*got float in b.*integer as in a.*cast"):
        read(*files)
    assert [row["x"] for row in read(*files, casts={"x": "float"})[1]] == [1.0, 1.5]


def test_a_cast_takes_members_of_another_kind(write):
    file = write("a.jsonl", {"x": "07", "y": 5}, {"x": "8", "y": 6})

    _, rows = read(file, casts={"x": "integer", "y": "string"})

    assert rows == [{"x": 7, "y": "5"}, {"x": 8, "y": "6"}]


@pytest.mark.parametrize("value", [1.5, "many", True])
def test_a_value_that_does_not_fit_names_file_and_column(write, value):
    file = write("a.jsonl", *({"k": "u", "n": 1} for _ in range(3)))
    schema, units = read_schema([file]), list_units([file])
    write("a.jsonl", {"k": "u", "n": 1}, {"k": "v", "n": value})

    with pytest.raises((ColumnError, SourceError), match=r"^a\.jsonl: n: ") as caught:
        read_unit(units[0], schema)
    assert re.search("integer|changed from number", str(caught.value))
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["[1]\n"], "cannot read"),
        (['{"a": 1}\n{"a": \n'], "cannot read"),
        (['{"a": 1, "a": 2}\n'], "twice"),
        (['{"a": "\\ud800"}\n'], r"cannot read|UTF-8"),
        ([""], "cannot read"),
    ],
)
def test_what_is_no_table_of_plain_values_is_refused(write, rows, message):
    with pytest.raises(SourceError, match=message):
        read(write("a.jsonl", *rows))


def test_text_in_another_encoding_is_refused(write):
    file = write("a.jsonl", {"s": "x"})
    schema, units = read_schema([file]), list_units([file])
    file.path.write_bytes('{"s": "Zürich"}\n'.encode("latin-1"))

    with pytest.raises(SourceError, match="not UTF-8"):
        read_schema([file])
    with pytest.raises(SourceError, match="not UTF-8"):
        read_unit(units[0], schema)


def test_lists_and_objects_are_carried_along(write):
    rows = [
        {"k": 1, "tags": ["a", None], "home": {"town": "Bern", "rooms": [3, 4]}},
        {"k": 2, "tags": [], "home": None},
        {"k": 3},
    ]
    plain = write("a.jsonl", *rows)
    schema, found = read(plain)

    assert schema == {
        "k": "integer",
        "tags": "list<string>",
        "home": 'struct<"rooms":list<integer>,"town":string>',
    }
    assert found == [{"tags": None, "home": None, **row} for row in rows]
    swapped = {"home": {"rooms": [3, 4], "town": "Bern"}, "tags": ["a", None], "k": 1}
    assert scanned(write("b.jsonl", swapped, *rows[1:])) == scanned(plain)
    rows[0]["home"]["rooms"][1] = 5
    assert scanned(write("c.jsonl", *rows)) != scanned(plain)


def scanned(file):
    plan = ScanPlan(read_schema([file]), None)
    return scan(list_units([file]), plan, map_in_process).fingerprint


@pytest.mark.parametrize(
    ("numbers", "is_refused"),
    [
        (["9223372036854775808", "null"], True),
        (["-9223372036854775809", "5"], True),
        (["9223372036854775807", "5"], False),
        (["9223372036854775808", "0.5"], False),  # Floats, of which one is written so.
        (["1e30", "2e19"], False),
    ],
)
def test_whole_numbers_of_more_than_64_bits_are_refused_since_floats_would_lose_digits(
    write, numbers, is_refused
):
    file = write("a.jsonl", *(f'{{"k": 1, "n": {number}}}\n' for number in numbers))

    if is_refused:
        with pytest.raises(ColumnError, match=r"a\.jsonl: n: .*; write them as texts") as caught:
            read(file)
        assert "922337" not in str(caught.value)
    else:
        _, rows = read(file)
        assert [row["n"] for row in rows] == [json.loads(number) for number in numbers]


def test_a_byte_order_mark_is_named(write):
    with pytest.raises(SourceError, match=r"a\.jsonl: .* byte order mark"):
        read(write("a.jsonl", '\ufeff{"n": 1}\n'))
