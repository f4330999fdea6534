"""What libraries say of values is told without the values, and where it happened with it."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.telemetry.foreign_words import foreign_traceback, foreign_words

VALUE = 'O\'Neil "4711"'
FAILURES = [
    lambda: float(VALUE),
    lambda: int("4711x"),
    lambda: {}[VALUE],
    lambda: np.array([VALUE]).astype(float),
    lambda: np.datetime64("4711-99"),
    lambda: dt.date.fromisoformat("4711-99-99"),
    lambda: dt.datetime.strptime("4711 x", "%Y %z"),
    lambda: json.loads('{"Neil" 4711}'),
    lambda: pa.array([VALUE]).cast(pa.int64()),
    lambda: pa.array([4711]).cast(pa.int8()),
    lambda: pa.array([4711.5]).cast(pa.int64()),
    lambda: pa.array([47110000000000001], pa.timestamp("ns")).cast(pa.timestamp("us")),
    lambda: pa.array(["a", 4711]),
    lambda: pa.array([Decimal("4711.55")], pa.decimal128(4, 2)),
]


@pytest.mark.parametrize("fail", FAILURES)
def test_no_value_is_told(fail):
    with pytest.raises((ValueError, LookupError, TypeError)) as caught:  # Arrow's are of these too.
        fail()
    error = caught.value

    for told in (foreign_words(error), foreign_traceback(error).splitlines()[-1]):
        assert told.startswith(type(error).__name__) or type(error).__name__ in told
        assert "4711" not in told
        assert "Neil" not in told


def test_what_led_to_it_is_told_with_its_place():
    def fails():
        try:
            float(VALUE)
        except ValueError as error:
            raise RuntimeError(f"no number: '{VALUE}'") from error

    with pytest.raises(RuntimeError) as caught:
        fails()
    told = foreign_traceback(caught.value)

    assert "in fails" in told
    assert "ValueError: could not convert string to float: ..." in told
    assert told.splitlines()[-1] == "RuntimeError: no number: ..."
    assert "Neil" not in told


def test_an_exception_without_words_is_named():
    assert foreign_words(ZeroDivisionError()) == "ZeroDivisionError"
