import json
import math
import re
import struct
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.row_parts import PIECE_ROWS
from mlops_ray.data.rowhash import hash_rows

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


def words_of_text(data):
    if len(data) > 64:
        return keys(data)
    states = keys(b"mlops-ray/rowhash/v2/string")
    for lane in range(2):
        states[lane] = states[lane] + len(data) & MASK
        for at in range(0, len(data), 8):
            states[lane] = step(states[lane], int.from_bytes(data[at : at + 8], "little"), lane)
    return [finish(state) for state in states]


def words_of(value, dtype):
    if value is None:
        return keys(b"mlops-ray/rowhash/v2/null", size=8) * 2
    if dtype == "string":
        return words_of_text(value.encode())
    if dtype == "float":
        value = float("nan") if math.isnan(value) else value + 0.0
        return [*struct.unpack("<Q", struct.pack("<d", value))] * 2
    return [int(value) & MASK] * 2


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


def test_the_vectors_of_the_page_hold():
    rows = re.findall(
        r"^\| `(\{.*\})` \| `(\{.*\})` \| (\d+) \| `(\w+) (\w+)` \|$",
        PAGE.read_text(),
        re.MULTILINE,
    )

    assert len(rows) >= 8
    for schema, row, salt, *lanes in rows:
        types, cells = json.loads(schema), json.loads(row)
        arrow = {"integer": pa.int64(), "float": pa.float64(), "string": pa.string()}
        columns = {name: pa.array([cells[name]], arrow[types[name]]) for name in types}
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
