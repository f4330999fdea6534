"""`mlops_ray.manifest.canonical` against the rules of RFC 8785 and our three tags."""

import json
import math
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ray.errors import ManifestError
from mlops_ray.manifest import canonical_bytes, digest_json, from_canonical

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_reading_back_gives_the_value_and_the_same_bytes(value: object) -> None:
    data = canonical_bytes(value)

    assert canonical_bytes(from_canonical(data)) == data
    assert json.loads(data) is not ...


def test_key_order_follows_utf16_and_numbers_the_shortest_form() -> None:
    # RFC 8785, 3.2.3: U+1F600 sorts before U+FB33 by UTF-16 units, after it by code points.
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()
    assert canonical_bytes([1.0, 1e-07, -0.0, 1e21, 333333333.33333329]) == (
        b"[1,1e-7,0,1e+21,333333333.3333333]"
    )


def test_what_json_cannot_hold_is_tagged_or_a_string() -> None:
    data = canonical_bytes([math.nan, math.inf, -math.inf, 2**53, -(2**60)])

    assert data == (
        b'[{"$float":"nan"},{"$float":"inf"},{"$float":"-inf"},'
        b'"9007199254740992","-1152921504606846976"]'
    )
    assert math.isnan(from_canonical(data)[0])


def test_equal_values_have_equal_digests_and_kinds_differ() -> None:
    assert digest_json({"a": 1, "b": [2.0]}) == digest_json({"b": [2], "a": 1.0})
    kinds = [{"schema": f"mlops-ray/{kind}/v1"} for kind in ("spec", "result")]
    assert digest_json(kinds[0]) != digest_json(kinds[1])


OF_5000_DIGITS = [10**5_000]
HOLDS_ITSELF: list[object] = []
HOLDS_ITSELF.append({"a": HOLDS_ITSELF})


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ({1: 2}, "keys must be strings"),
        ({"a": object()}, "unsupported type"),
        (b"bytes", "unsupported type"),
        ({"a": {1, 2}}, "unsupported type"),
        ("\ud800", "non-UTF-8"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        (HOLDS_ITSELF, "holds itself"),
        (nested(100_000), "nested too deeply"),
        (OF_5000_DIGITS, "4300 digits"),
        ([{"a": [OF_5000_DIGITS]}], "4300 digits"),
        ({"$float": "nan"}, "which means a float"),
    ],
)
def test_what_is_not_json_is_refused(value: object, got: str) -> None:
    with pytest.raises(ManifestError, match=got):
        canonical_bytes(value)


def test_numbers_of_numpy_are_written_as_the_numbers_they_are() -> None:
    assert canonical_bytes([np.float64("nan"), np.float64(0.1)]) == b'[{"$float":"nan"},0.1]'


def test_a_name_that_a_tag_has_is_read_as_it_was_written() -> None:
    for value in ({"$float": "integer"}, {"$float": 3}, {"$float": [1]}, {"$float": {"a": None}}):
        assert from_canonical(canonical_bytes(value)) == value


SCALARS = st.sampled_from([np.int64(3), np.float32(0.5), Decimal(1), date(2020, 1, 1), ..., 1j])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=4_000, max_value=4_600).map(lambda n: 10**n)
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()))
    | st.binary()
    | SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(
            st.text(st.characters(codec=None, exclude_categories=())) | st.integers() | st.none(),
            inner,
            max_size=4,
        )
        | st.dictionaries(st.just("$float"), inner, max_size=1)
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_value_has_one_form_that_reads_back_or_is_refused(value: object) -> None:
    try:
        data = canonical_bytes(value)
    except ManifestError:
        return

    assert canonical_bytes(from_canonical(data)) == data


@given(
    st.binary(max_size=40)
    | (VALUES | st.dictionaries(st.just("$float"), VALUES)).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        from_canonical(data)
    except ManifestError:
        return


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"1" * 5_000, b"[" * 100_000, b"\xff"])
def test_bytes_that_are_not_json_are_refused(data: bytes) -> None:
    with pytest.raises(ManifestError, match="not JSON"):
        from_canonical(data)
