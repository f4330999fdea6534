from pathlib import Path

import numpy as np
import pyarrow as pa

from mlops_ray.data.fingerprint import RowTally, digest_ordered
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

    found = RowTally.of(hash_rows(table, schema, ["x", "s"])).fingerprint(schema)

    page = Path(__file__).parents[2] / "docs" / "fingerprint.md"
    assert f"`{found}`" in page.read_text(encoding="utf-8")
