from __future__ import annotations

import asyncio

import pytest

from mlops_ray.serve.body import ClientGoneError, read_body
from mlops_ray.serve.http_errors import RefusedError


def read(messages, headers=None, timeout_s=0.05):
    rest = iter(messages)

    async def receive():
        for message in rest:
            return message
        await asyncio.Event().wait()
        return None

    return asyncio.run(read_body(headers or {}, receive, 10, timeout_s))


def chunk(data, *, more):
    return {"type": "http.request", "body": data, "more_body": more}


def test_chunks_are_joined():
    assert read([chunk(b"ab", more=True), chunk(b"cd", more=False)]) == b"abcd"


def test_received_bytes_are_counted():
    with pytest.raises(RefusedError, match="larger than 10 bytes") as refusal:
        read([chunk(b"123456", more=True), chunk(b"123456", more=True)])
    assert refusal.value.status == 413


def test_announced_length_is_enough_to_refuse():
    with pytest.raises(RefusedError) as refusal:
        read([], {b"content-length": b"11"})
    assert refusal.value.status == 413


@pytest.mark.parametrize("length", [b"", b"abc", b"-5", b"\xb2"])
def test_nonsense_length_is_passed_over(length):
    assert read([chunk(b"ab", more=False)], {b"content-length": length}) == b"ab"


def test_absurd_length_is_no_crash():
    with pytest.raises(RefusedError, match="larger"):
        read([], {b"content-length": b"9" * 5000})


def test_slow_body_is_refused():
    with pytest.raises(RefusedError, match=r"within 0\.05 s") as refusal:
        read([chunk(b"ab", more=True)])
    assert refusal.value.status == 408


def test_client_that_goes_away_is_noticed():
    with pytest.raises(ClientGoneError):
        read([chunk(b"ab", more=True), {"type": "http.disconnect"}])
