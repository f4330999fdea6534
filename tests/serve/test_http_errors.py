from __future__ import annotations

import json
import pickle

import pytest

from mlops_ray.errors import (
    BusyError,
    DigestMismatchError,
    NotFoundError,
    RecordError,
    Where,
)
from mlops_ray.serve.http_errors import RefusedError, error_reply, reply_to, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RecordError("x"), 400),
        (NotFoundError("x"), 404),
        (BusyError("x"), 503),
        (RefusedError(415, "x"), 415),
        (DigestMismatchError("x"), 500),
        (ValueError("x"), 500),
    ],
)
def test_class_decides_the_status(error, status):
    assert status_of(error) == status


@pytest.mark.parametrize("is_v2", [True, False])
@pytest.mark.parametrize("text", ["x" * 9999, '"' * 9999, "\x00" * 9999, "\ud800é漢" * 999])
def test_error_body_is_bounded_json_whatever_the_message(text, is_v2):
    reply = error_reply(400, text, "r" * 128, is_v2=is_v2, where=Where(key=text))

    assert len(reply.body) <= 1024
    assert json.loads(reply.body)["error"]


def test_unavailable_says_when_to_come_back():
    assert (b"retry-after", b"1") in reply_to(BusyError("x"), "r", is_v2=False).headers
    own = RefusedError(503, "x", headers=((b"retry-after", b"9"),))
    assert [v for k, v in reply_to(own, "r", is_v2=False).headers if k == b"retry-after"] == [b"9"]


def test_refusal_survives_pickling():
    error = RefusedError(405, "no", "use GET", Where(key="k"), ((b"allow", b"GET"),))

    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), copy.status, copy.headers) == (str(error), error.status, error.headers)
