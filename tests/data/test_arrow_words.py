"""Arrow's own complaints about a value are told without the value."""

from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import csv, json

from mlops_ray.data.arrow_words import arrow_words

TEXT = "O'Neil: it's 'me'\n4711"


def read_csv(text, dtype):
    csv.read_csv(
        pa.BufferReader(text.encode()),
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types={"a": dtype}),
    )


def read_json(text, dtype):
    options = json.ParseOptions(explicit_schema=pa.schema({"a": dtype}))
    json.read_json(pa.BufferReader(text.encode()), parse_options=options)


TYPES = [pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.decimal128(9, 2)]
UTC = pa.timestamp("us", "UTC")
FAILURES = [
    *((read_csv, f'a\n"{TEXT}"\n', dtype) for dtype in [*TYPES, UTC]),
    *((pa.Array.cast, pa.array([TEXT]), dtype) for dtype in [*TYPES, UTC]),
    (read_csv, 'a,b\n1,2\n4711,O,"it\'s"\n', pa.int64()),
    (read_json, '{"a": 4711.5}\n', pa.int64()),
    (read_json, '{"a": "4711-13-01"}\n', UTC),
    (pa.Array.cast, pa.array([4711.5]), pa.int64()),
    (pa.Array.cast, pa.array([4711]), pa.int8()),
    (pa.Array.cast, pa.array([2**63 + 4711], pa.uint64()), pa.int64()),
    (pa.Array.cast, pa.array([Decimal("4711.55")]), pa.decimal128(5, 1)),
    (pa.Array.cast, pa.array([47110000000000001], pa.timestamp("ns")), pa.timestamp("us")),
    (pa.Array.cast, pa.array([4711 * 10**12], pa.timestamp("s")), pa.timestamp("us")),
]


@pytest.mark.parametrize(("read", "value", "dtype"), FAILURES)
def test_a_message_holds_no_part_of_a_value(read, value, dtype):
    with pytest.raises(pa.ArrowException) as caught:
        read(value, dtype)

    told = arrow_words(caught.value)

    assert len(told) > 10
    for part in ("4711", str(2**63 + 4711), "O'", "it's", "Neil"):
        assert part not in told


def test_words_and_places_stay():
    said = "Couldn't deserialize thrift: don't know what type 7\nsecond line"

    assert arrow_words(OSError(said)) == "Couldn't deserialize thrift: don't know what type 7"
    assert arrow_words(ValueError("Row #7: bad"), is_whole=False) == "bad"
    assert arrow_words(ValueError()) == "ValueError"
