import numpy as np
import pytest

from mlops_ray.data.counts import MAX_DISTINCT, ValueCounts
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical


def test_codes_are_counted_without_nulls_and_unused_values():
    counts = ValueCounts.of_codes(np.array([1, -1, 0, 1], np.int32), ["b", "a", "unused"])

    assert list(counts.counts.items()) == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("n_parts", [1, 2, 7])
@pytest.mark.parametrize("n_distinct", [MAX_DISTINCT, MAX_DISTINCT + 1])
def test_overflow_depends_on_the_whole_and_not_on_its_parts(n_parts, n_distinct):
    parts = np.array_split(np.arange(n_distinct), n_parts)

    merged = sum(map(ValueCounts.of_integers, parts), start=ValueCounts())

    assert merged.is_overflow == (n_distinct > MAX_DISTINCT)
    assert len(merged.counts) == (0 if merged.is_overflow else n_distinct)


@pytest.mark.parametrize(
    ("counts", "dtype"),
    [({"a": 1, "b": 2}, "string"), ({-3: 1, 2**60: 2}, "integer"), ({False: 1}, "boolean")],
)
def test_values_keep_their_type_through_canonical_json(counts, dtype):
    written = from_canonical(canonical_bytes(ValueCounts.of(counts).to_json()))

    read = ValueCounts.from_json(written, dtype)

    assert dict(read.counts) == counts
    assert {type(value) for value in read.counts} == {type(value) for value in counts}


def test_an_overflow_stays_one_through_json():
    assert ValueCounts.from_json(ValueCounts({}, is_overflow=True).to_json(), "string").is_overflow
