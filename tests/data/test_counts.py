from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.counts import MAX_DISTINCT, MAX_TEXT_BYTES, ValueCounts
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

RNG = np.random.default_rng(2)


def listed(counts):
    return list(counts.counts.items())


def of_texts(texts):
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    return ValueCounts.of_rows(np.bincount(encoded.indices.to_numpy()), encoded.dictionary)


def merged(parts, dtype="integer"):
    return ValueCounts.merged(dtype, parts)


def test_codes_are_counted_without_nulls_and_unused_values():
    counts = ValueCounts.of_rows(np.array([1, 2, 0]), pa.array(["b", "a", "unused"]))

    assert listed(merged([counts], "string")) == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("spread", [10, 2_000, 2**40])
def test_numbers_are_counted_whatever_their_spread(spread):
    values = RNG.integers(-spread, spread, 500) * (spread // 10) + 2**50

    counts = ValueCounts.of_numbers("integer", values)

    assert listed(counts) == sorted(Counter(values.tolist()).items())


def test_few_floats_are_counted_exactly():
    values = RNG.choice([0.1, -2.5, 1e300], 1000)

    assert listed(ValueCounts.of_numbers("float", values)) == sorted(
        Counter(values.tolist()).items()
    )


@pytest.mark.parametrize("n_parts", [1, 2, 7])
@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("dtype", ["integer", "float", "string"])
def test_overflow_depends_on_the_whole_and_not_on_its_parts(dtype, more, n_parts):
    n_distinct = MAX_DISTINCT[dtype] + more
    values = np.arange(n_distinct) * 1001  # Too far apart to be counted by place.
    if dtype == "string":
        parts = [
            of_texts([f"{value:x}" for value in part]) for part in np.array_split(values, n_parts)
        ]
    else:
        kind = np.float64 if dtype == "float" else np.int64
        parts = [
            ValueCounts.of_numbers(dtype, np.tile(part.astype(kind), 9))
            for part in np.array_split(values, n_parts)
        ]

    whole = merged(parts, dtype)

    assert whole.is_overflow == bool(more)
    assert whole.n_distinct == (0 if more else n_distinct)


@pytest.mark.parametrize("more", [0, 1])
def test_long_texts_overflow_by_their_bytes(more):
    texts = ["a" * (MAX_TEXT_BYTES // 2), "b" * (MAX_TEXT_BYTES // 2 + more)]

    assert merged([of_texts(texts)], "string").is_overflow == bool(more)
    assert merged([of_texts(texts[:1]), of_texts(texts)], "string").is_overflow == bool(more)


def test_a_value_twice_in_a_dictionary_counts_once():
    counts = ValueCounts.of_rows(np.array([1, 2]), pa.array(["a", "a"]))

    assert listed(merged([counts], "string")) == [("a", 3)]


def test_the_commonest_are_listed_and_the_others_summed_up():
    counts = ValueCounts.of_mapping("string", {"a": 2, "b": 5, "c": 2, "d": 1})

    top = counts.commonest(2)

    assert listed(top) == [("a", 2), ("b", 5)]
    assert (top.n_distinct, top.n_unlisted, top.n_unlisted_rows) == (4, 2, 3)
    assert not top.is_complete
    assert ValueCounts.from_json(top.to_json(), "string") == top
    assert merged([top, counts], "string").is_overflow  # What is not listed cannot be added up.


@pytest.mark.parametrize(
    ("counts", "dtype"),
    [
        ({"a": 1, "b": 2}, "string"),
        ({-3: 1, 2**60: 2}, "integer"),
        ({False: 1}, "boolean"),
        ({0.5: 1, 2.0: 3}, "float"),
    ],
)
def test_values_keep_their_type_through_canonical_json(counts, dtype):
    written = from_canonical(canonical_bytes(ValueCounts.of_mapping(dtype, counts).to_json()))

    read = ValueCounts.from_json(written, dtype)

    assert dict(read.counts) == counts
    assert {type(value) for value in read.counts} == {type(value) for value in counts}


def test_an_overflow_stays_one_through_json():
    overflow = ValueCounts.none("string", is_overflow=True)

    assert ValueCounts.from_json(overflow.to_json(), "string") == overflow
