import struct
from hashlib import blake2b

import numpy as np
import pyarrow as pa

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


def hashes(values, dtype, salt=0, name="x"):
    return hash_rows(pa.table({name: values}), {name: dtype}, [name], salt).T.tolist()


def test_rows_hash_alike_alone_among_others_and_in_any_column_order():
    whole = hash_rows(TABLE, SCHEMA, list(SCHEMA))

    for row in range(3):
        alone = hash_rows(TABLE.slice(row, 1), SCHEMA, list(SCHEMA)[::-1])
        assert alone[:, 0].tolist() == whole[:, row].tolist()


def test_stored_form_does_not_show():
    plain = hashes(pa.array(["a", "b", None]), "string")

    assert hashes(pa.array(["a", "b", None], pa.large_string()), "string") == plain
    assert hashes(pa.array(["a", "b", None]).dictionary_encode(), "string") == plain
    assert hashes(pa.array([1], pa.int8()), "integer") == hashes(pa.array([1]), "integer")


def test_equal_numbers_are_equal_and_null_is_none_of_them():
    zero, minus, nan, other_nan, null = hashes(
        pa.array([0.0, -0.0, np.nan, -np.nan, None]), "float"
    )

    assert zero == minus
    assert nan == other_nan
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


def test_version_1_of_the_hash_is_what_plain_python_says():
    salt, lane, mask = 7, 1, 2**64 - 1

    def mix(word):
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & mask
        word = (word ^ word >> 27) * 0x94D049BB133111EB & mask
        return word ^ word >> 31

    def word(data, key=b""):
        return int.from_bytes(blake2b(data, digest_size=16, key=key).digest()[8:], "little")

    def key(dtype, name):
        text = b"mlops-ray/rowhash/v1\0" + dtype + b"\0" + name
        return word(text, salt.to_bytes(8, "little"))

    cells = [  # Columns in the order of their names; a null's hash is its key alone.
        mix(int(True) ^ key(b"boolean", b"b")),
        mix(struct.unpack("<Q", struct.pack("<d", 0.5))[0] ^ key(b"float", b"f")),
        key(b"integer", b"i") ^ key(b"null", b""),
        mix(word(b"a") ^ key(b"string", b"s")),
    ]
    row = key(b"row", b"")
    for cell in cells:
        row = mix((row + cell) & mask)
    table = pa.table({"i": pa.array([None], pa.int64()), "f": [0.5], "s": ["a"], "b": [True]})
    assert hash_rows(table, SCHEMA, list(SCHEMA), salt)[lane].tolist() == [row]
