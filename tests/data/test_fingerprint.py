import re
from functools import reduce
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mlops_ray.data.fingerprint import RowSequence, RowTally, digest_ordered
from mlops_ray.data.rowhash import hash_rows

SCHEMA = {"x": "integer"}


def rows(*values):
    return hash_rows(pa.table({"x": pa.array(values, pa.int64())}), SCHEMA, ["x"])


def test_order_and_cuts_do_not_show():
    whole = RowTally.of(rows(1, 2, 3))

    assert RowTally.of(rows(3)) + RowTally.of(rows(2, 1)) == whole
    assert RowTally.from_json(whole.to_json()) == whole


def test_another_another_count_or_another_schema_is_another_fingerprint():
    prints = {
        RowTally.of(rows(*values)).fingerprint(schema)
        for values in ((1, 2), (1, 3), (1,), (1, 1), (1, 2, 2), (1, 2, 2, 2), ())
        for schema in (SCHEMA, {"x": "float"}, {"y": "integer"})
    }

    assert len(prints) == 21


def test_the_order_of_columns_does_not_show():
    tally = RowTally.of(rows(1))

    assert tally.fingerprint({"a": "float", "b": "date"}) == tally.fingerprint(
        {"b": "date", "a": "float"}
    )


def test_an_ordered_digest_sees_the_order():
    hashes = rows(1, 2, 3)

    assert digest_ordered(hashes) == digest_ordered(np.asfortranarray(hashes))
    assert digest_ordered(hashes) != digest_ordered(hashes[:, ::-1])


def test_the_fingerprint_of_the_page_holds():
    schema = {"x": "integer", "s": "string"}
    table = pa.table({"x": [1, None], "s": ["a", "b"]})

    hashes = hash_rows(table, schema, ["x", "s"])
    both = [RowSequence.of(rows_of) for rows_of in (hashes, hashes[:, ::-1])]
    found = [part.fingerprint(schema) for part in (RowTally.of(hashes), *both)]

    page = (Path(__file__).parents[2] / "docs" / "fingerprint.md").read_text(encoding="utf-8")
    assert re.findall("^`(sha256:.*)`$", page, re.MULTILINE) == found


def plain_lanes(hashes):
    """The definition, a row at a time."""
    bases = (0xD1342543DE82EF95, 0x5851F42D4C957F2D)
    lanes = [0, 0]
    for row in hashes.T.tolist():
        lanes = [(s * b + h) % 2**64 for s, b, h in zip(lanes, bases, row, strict=True)]
    return tuple(lanes)


@given(st.lists(st.integers(0, 3), max_size=40), st.data())
def test_a_sequence_is_that_of_its_parts_in_order_wherever_they_are_cut(values, data):
    hashes = rows(*values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    bounds = [0, *cuts, len(values)]

    parts = [RowSequence.of(hashes[:, a:b]) for a, b in pairwise(bounds)]

    whole = RowSequence.of(hashes)
    assert reduce(RowSequence.__add__, parts, RowSequence()) == whole
    assert RowSequence.from_json(whole.to_json()) == whole
    assert (whole.n_rows, whole.lanes) == (len(values), plain_lanes(hashes))


@given(st.lists(st.integers(0, 3), min_size=2, max_size=12), st.randoms())
def test_another_order_is_another_sequence_and_the_same_tally(values, random):
    shuffled = values[:]
    random.shuffle(shuffled)

    one, other = rows(*values), rows(*shuffled)

    assert RowTally.of(one) == RowTally.of(other)
    is_same = RowSequence.of(one).fingerprint(SCHEMA) == RowSequence.of(other).fingerprint(SCHEMA)
    assert is_same == (values == shuffled)


def test_rows_in_the_order_of_their_parts_are_put_back():
    hashes = rows(*range(50))
    order = np.random.default_rng(1).permutation(50)

    assert RowSequence.of(hashes[:, order], order) == RowSequence.of(hashes)
    assert RowSequence.of(hashes[:, order]) != RowSequence.of(hashes)


def test_exchanging_rows_that_lie_a_power_of_two_apart_shows_in_both_lanes():
    """Where powers of the base, taken modulo 2^64, agree in most of their bits."""
    hashes = rows(*range(2**17))
    lanes = RowSequence.of(hashes).lanes
    for at in range(17):
        swapped = hashes.copy()
        swapped[:, [0, 2**at]] = hashes[:, [2**at, 0]]
        other = RowSequence.of(swapped).lanes
        assert lanes[0] != other[0]
        assert lanes[1] != other[1]
