"""Whatever a client sends, the answer is a 200 or a refusal, never an error of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["age", "city", "FP64", "INT64", "BYTES", "Bern", "\ud800", "\x00"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
)
NAMES = ["age", "city", "rooms", "owner"]
RECORDS = st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, SCALARS)), max_size=3)
MEMBERS = {
    "shape": st.just([1]) | VALUES,
    "datatype": st.sampled_from(["FP64", "FP32", "FP16", "INT8", "UINT64", "BOOL", "BYTES"])
    | VALUES,
    "data": st.lists(SCALARS, min_size=1, max_size=1) | VALUES,
    "parameters": VALUES,
}
TENSORS = st.tuples(
    *(st.fixed_dictionaries({"name": st.just(name), **MEMBERS}) for name in NAMES)
).map(list)
REQUESTS = st.fixed_dictionaries(
    {"inputs": TENSORS | VALUES}, optional={"id": VALUES, "outputs": VALUES, "parameters": VALUES}
)
QUICK = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def check(client: Any, path: str, body: bytes) -> None:
    response = client.post(path, content=body)
    assert response.status_code in {200, 400, 415}, response.text
    if response.status_code != 200:
        assert len(response.content) <= 1024


@QUICK
@given(value=VALUES | RECORDS | st.fixed_dictionaries({"records": RECORDS}))
def test_any_json_as_records(client, value):
    check(client, "/predict/homes", json.dumps(value).encode())


@QUICK
@given(value=REQUESTS)
def test_any_json_as_an_inference_request(client, value):
    check(client, "/v2/models/homes/infer", json.dumps(value).encode())


@QUICK
@given(body=st.binary(max_size=64))
@pytest.mark.parametrize("path", ["/predict/homes", "/v2/models/homes/infer"])
def test_any_bytes(client, path, body):
    check(client, path, body)
