import datetime as dt
import json
import math
import re
import struct
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.row_parts import PIECE_ROWS
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.type_names import storage_type, type_name
from mlops_ray.errors import ColumnError

SCHEMA = {"i": "integer", "f": "float", "s": "string", "b": "boolean"}
TABLE = pa.table(
    {
        "i": [1, None, 3],
        "f": [0.5, float("nan"), None],
        "s": ["a", None, ""],
        "b": [True, False, None],
    }
)
PAGE = Path(__file__).parents[2] / "docs" / "fingerprint.md"
MASK = 2**64 - 1
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def hashes(values, dtype, salt=0, name="x"):
    return hash_rows(pa.table({name: values}), {name: dtype}, [name], salt).T.tolist()


# The definition of docs/fingerprint.md in plain Python, a cell at a time.


def step(state, word, lane):
    shift, multiplier = ((32, FIRST), (29, SECOND))[lane]
    state ^= word
    return (state ^ state >> shift) * multiplier & MASK


def finish(word):
    word = (word ^ word >> 30) * FIRST & MASK
    word = (word ^ word >> 27) * SECOND & MASK
    return word ^ word >> 31


def keys(data, key=b"", size=16):
    found = blake2b(data, digest_size=size, key=key).digest()
    return [int.from_bytes(found[at : at + 8], "little") for at in range(0, size, 8)]


def mixed(name, *words, added=0):
    """Words taken in, one after another, by the states that a name starts."""
    states = [state + added & MASK for state in keys(b"mlops-ray/rowhash/v2/" + name)]
    for word in words:
        pair = word if isinstance(word, list) else [word, word]
        states = [step(state, pair[lane] & MASK, lane) for lane, state in enumerate(states)]
    return [finish(state) for state in states]


def words_of_text(data):
    if len(data) > 64:
        return keys(data)
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
    return mixed(b"string", *words, added=len(data))


def words_of_decimal(value):
    sign, digits, exponent = value.as_tuple()
    number, scale = int("".join(map(str, digits))) * (-1 if sign else 1), -exponent
    while number and number % 10 == 0:
        number, scale = number // 10, scale - 1
    n_limbs = next(n for n in range(1, 9) if -(2 ** (64 * n - 1)) <= number < 2 ** (64 * n - 1))
    limbs = [number >> 64 * at for at in range(n_limbs)]
    return mixed(b"decimal", scale if number else 0, *limbs, added=n_limbs)


def words_of_list(items, dtype):
    found = [mixed(b"item", at, words_of(item, dtype)) for at, item in enumerate(items)]
    sums = [sum(words[lane] for words in found) for lane in range(2)]
    return mixed(b"list", sums, added=len(items))


def words_of_nested(value, dtype):
    """Of lists, maps and the two structs that are used here."""
    if dtype.startswith("list<"):
        return words_of_list(value, dtype[len("list<") : -1])
    if dtype.startswith("map<"):
        pairs = [{"key": key, "value": item} for key, item in value]
        key, item = dtype[len("map<") : -1].split(",", 1)
        return words_of_list(pairs, f'struct<"key":{key},"value":{item}>')
    members = re.findall(r'"(\w+)":(\w+(?:<\w+>)?)', dtype)
    return mixed(b"struct", *(words_of(value[name], inner) for name, inner in members))


def words_of_ticks(nanoseconds):
    whole, rest = divmod(nanoseconds, 1000)
    return mixed(b"nanoseconds", whole, rest) if rest else [whole & MASK] * 2


def words_of_float(value):
    value = float("nan") if math.isnan(value) else value + 0.0
    return [*struct.unpack("<Q", struct.pack("<d", value))] * 2


WORDS = {
    "string": lambda value: words_of_text(value.encode()),
    "binary": words_of_text,
    "decimal": words_of_decimal,
    "duration": words_of_ticks,
    "float": words_of_float,
}


def words_of(value, dtype):
    if value is None:
        return keys(b"mlops-ray/rowhash/v2/null", size=8) * 2
    if "<" in dtype:
        return words_of_nested(value, dtype)
    return WORDS[dtype](value) if dtype in WORDS else [int(value) & MASK] * 2


def hash_of(row, schema, salt=0):
    names = sorted(schema)
    declared = json.dumps([[name, schema[name]] for name in names], separators=(",", ":"))
    lanes = keys(b"mlops-ray/rowhash/v2\0" + declared.encode(), salt.to_bytes(8, "little"))
    for name in names:
        words = words_of(row[name], schema[name])
        lanes = [step(lanes[lane], words[lane], lane) for lane in range(2)]
    return [finish(lane) for lane in lanes]


@pytest.mark.parametrize("salt", [0, 7, MASK])
def test_hashes_are_what_plain_python_says(salt):
    found = hash_rows(TABLE, SCHEMA, list(SCHEMA), salt).T.tolist()

    assert found == [hash_of(row, SCHEMA, salt) for row in TABLE.to_pylist()]


def test_texts_of_every_length_hash_as_plain_python_says():
    texts = ["é" * n for n in range(40)] + ["x" * n for n in range(140)] + [None]

    found = hashes(pa.array(texts)[3:], "string")

    assert found == [hash_of({"x": text}, {"x": "string"}) for text in texts[3:]]
    assert len({tuple(pair) for pair in found}) == len(found)


CARRIED = {
    "decimal": (
        [Decimal(text) for text in ("0", "0.00", "1.50", "-1.5", "100", "-7e-30", "9" * 40)],
        pa.decimal256(76, 30),
    ),
    "time": ([0, 1, 86_399_999_999_999, None], pa.time64("ns")),
    "duration": ([0, 5_000, -1, 1_999, None], pa.duration("ns")),
    "binary": ([b"", b"a", bytes(range(200)), None], pa.large_binary()),
    "list<float>": ([[], [None], [0.5, -0.0], [0.0, 0.5], None], pa.list_(pa.float16())),
    "list<string>": ([["a", "b"], ["ab"], ["a", None]], pa.large_list(pa.string_view())),
    "map<string,integer>": (
        [[("a", 1), ("b", None)], [("b", None), ("a", 1)], [], None],
        pa.map_(pa.string(), pa.int8()),
    ),
    'struct<"a":integer,"b":list<string>>': (
        [{"a": 1, "b": ["x"]}, {"a": None, "b": []}, {"a": 1, "b": None}, None],
        pa.struct([("b", pa.list_(pa.string())), ("a", pa.uint8())]),
    ),
}


@pytest.mark.parametrize("dtype", CARRIED)
def test_carried_types_hash_as_plain_python_says(dtype):
    values, arrow = CARRIED[dtype]
    column = pa.array(values, arrow)

    assert type_name(arrow) == dtype
    found = hashes(column, dtype)
    assert found == [hash_of({"x": value}, {"x": dtype}) for value in values]
    assert hashes(column[1:], dtype) == found[1:]
    n_equal = 1 if dtype == "decimal" else 0  # 0 and 0.00
    assert len({tuple(pair) for pair in found}) == len(values) - n_equal


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_units_of_times_inside_of_others_do_not_show(unit):
    """At the top all timestamps are microseconds."""
    moments = [[dt.datetime(1969, 1, 2, 3, 4, 5, tzinfo=dt.UTC), None]]
    plain = hashes(pa.array(moments, pa.list_(pa.timestamp("us"))), "list<timestamp>")

    zoned = pa.array(moments, pa.list_(pa.timestamp(unit, "Europe/Zurich")))
    assert hashes(zoned, "list<timestamp>") == plain
    spans = pa.array([dt.timedelta(days=-9), None], pa.duration(unit))
    assert hashes(spans, "duration") == hashes(spans.cast(pa.duration("us")), "duration")


def test_a_time_beyond_what_can_be_counted_is_an_error_with_its_column():
    with pytest.raises(ColumnError, match=r"x: .*overflow"):
        hashes(pa.array([2**62], pa.duration("s")), "duration")


def as_python(cell, dtype):
    if cell is None or dtype not in {"decimal", "binary", "map<string,integer>"}:
        return cell
    if dtype == "decimal":
        return Decimal(cell)
    return bytes.fromhex(cell) if dtype == "binary" else [tuple(pair) for pair in cell]


def test_the_vectors_of_the_page_hold():
    rows = re.findall(
        r"^\| `(\{.*\})` \| `(\{.*\})` \| (\d+) \| `(\w+) (\w+)` \|$",
        PAGE.read_text(),
        re.MULTILINE,
    )

    assert len(rows) >= 8
    for schema, row, salt, *lanes in rows:
        types, cells = json.loads(schema), json.loads(row)
        cells = {name: as_python(cells[name], types[name]) for name in types}
        columns = {name: pa.array([cells[name]], storage_type(types[name])) for name in types}
        found = hash_rows(pa.table(columns), types, list(types), int(salt))
        assert [f"{lane:016x}" for lane in found[:, 0]] == lanes
        assert hash_of(cells, types, int(salt)) == [int(lane, 16) for lane in lanes]


def test_rows_hash_alike_alone_among_others_and_in_any_column_order():
    whole = hash_rows(TABLE, SCHEMA, list(SCHEMA))

    for row in range(3):
        alone = hash_rows(TABLE.slice(row, 1), SCHEMA, list(SCHEMA)[::-1])
        assert alone[:, 0].tolist() == whole[:, row].tolist()


def test_rows_beyond_one_piece_hash_as_alone():
    values = np.arange(PIECE_ROWS + 3)
    table = pa.table({"x": values, "s": pa.array(values % 7).cast(pa.string())})
    schema = {"x": "integer", "s": "string"}

    whole = hash_rows(table, schema, list(schema))

    for at in (0, PIECE_ROWS - 1, PIECE_ROWS, PIECE_ROWS + 2):
        row = table.slice(at, 1).to_pylist()[0]
        assert whole[:, at].tolist() == hash_of(row, schema)


def test_stored_form_does_not_show():
    plain = hashes(pa.array(["a", "b", None]), "string")

    assert hashes(pa.array(["a", "b", None], pa.large_string()), "string") == plain
    assert hashes(pa.array(["a", "b", None]).dictionary_encode(), "string") == plain
    assert hashes(pa.array([1], pa.int8()), "integer") == hashes(pa.array([1]), "integer")


def test_equal_numbers_are_equal_and_null_is_none_of_them():
    odd_nan = np.array([0x7FF0000000000001], dtype=np.uint64).view(np.float64)[0]

    zero, minus, nan, *other_nans, null = hashes(
        pa.array([0.0, -0.0, np.nan, -np.nan, odd_nan, None]), "float"
    )

    assert zero == minus
    assert other_nans == [nan, nan]
    assert null not in (zero, nan)
    assert hashes(pa.array(["", None]), "string")[0] != hashes(pa.array(["", None]), "string")[1]


def test_name_type_and_salt_change_every_hash():
    one = hashes([1], "integer")

    assert one != hashes([1], "integer", salt=1)
    assert one != hashes([1], "integer", name="y")
    assert one != hashes(pa.array([1.0]), "float")


def test_lanes_are_even_and_do_not_depend_on_each_other():
    lanes = hash_rows(pa.table({"x": np.arange(100_000)}), {"x": "integer"}, ["x"])

    shares = lanes / 2.0**64
    assert np.abs(shares.mean(axis=1) - 0.5).max() < 0.005
    assert abs(np.corrcoef(shares)[0, 1]) < 0.02
    assert len(np.unique(lanes[0])) == 100_000


def test_changes_in_two_columns_do_not_cancel_out():
    """Signs turned, numbers one up and one down, values exchanged: a lane sees all of them."""
    rng = np.random.default_rng(0)
    for one, other in (rng.normal(size=(2, 20_000)), rng.integers(-50, 50, (2, 20_000)) * 1.0):
        variants = [(one, other), (-one, -other), (one + 1, other - 1), (other, one), (one, -other)]
        schema = {"a": "float", "b": "float"}
        lanes = [hash_rows(pa.table({"a": a, "b": b}), schema, ["a", "b"]) for a, b in variants]
        cells = [np.array(pair) for pair in variants]
        for at in range(1, len(variants)):
            changed = (cells[0] != cells[at]).any(axis=0)
            for lane in range(2):
                assert (lanes[0][lane] != lanes[at][lane])[changed].all()


def test_flipping_a_bit_of_a_cell_flips_half_of_the_bits_of_the_hash():
    values = np.random.default_rng(0).integers(0, 2**63, 2_000)
    table = {"a": values, "b": values[::-1].copy()}
    schema = {"a": "integer", "b": "integer"}
    before = hash_rows(pa.table(table), schema, ["a", "b"])

    for column in ("a", "b"):
        for bit in (0, 1, 31, 32, 62, 63):
            flipped = {
                **table,
                column: table[column] ^ np.int64(-(2**63) if bit == 63 else 1 << bit),
            }
            after = hash_rows(pa.table(flipped), schema, ["a", "b"])
            shares = [
                ((before ^ after)[lane] >> np.uint64(at) & np.uint64(1)).mean()
                for lane in (0, 1)
                for at in range(64)
            ]
            assert min(shares) > 0.42
            assert max(shares) < 0.58
