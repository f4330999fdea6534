"""`mlops_ray.manifest.canonical` against the rules of RFC 8785 and our three tags."""

import json
import math

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


@pytest.mark.parametrize("value", [{1: 2}, {"a": object()}, b"bytes", {"a": {1, 2}}])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(ManifestError):
        canonical_bytes(value)
