"""Rules evaluated on Arrow columns, against Python with None row by row."""

import datetime as dt

import pyarrow as pa
import pytest

from mlops_ray.data.arrow_expression import expression_problem, is_false
from mlops_ray.data.expression import parse_expression

DAY, NOON = dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 12)  # noqa: DTZ001 - as columns hold it
BIG = 2**62
TABLE = pa.table(
    {
        "i": pa.array([1, None, -7, BIG]),
        "j": pa.array([1, 2, None, BIG + 1]),
        "x": pa.array([0.5, float("nan"), None, -1.0]),
        "s": pa.array(["ab", None, "", "ab"]).dictionary_encode(),
        "d": pa.array([DAY, None, DAY, DAY]),
        "t": pa.array([NOON, NOON, None, dt.datetime(2019, 1, 1)], pa.timestamp("us")),  # noqa: DTZ001
        "f": pa.array([True, False, None, True]),
    }
)
SCHEMA = {
    "i": "integer",
    "j": "integer",
    "x": "float",
    "s": "string",
    "d": "date",
    "t": "timestamp",
    "f": "boolean",
}


@pytest.mark.parametrize(
    ("text", "false_rows"),
    [
        ("i >= 1", [2]),
        ("i == j", [3]),  # 2^62 and 2^62 + 1 are one float.
        ("i > 0.5", [2]),
        ("i % 4 == 1", [3]),  # -7 mod 4 is 1, as in Python.
        ("i / 0 > 0", [2]),
        ("x > 0", [3]),  # NaN is null.
        ("is_null(x) or x > 0", [3]),
        ("not is_null(s) or f", [1]),
        ("x > 0 or i > 0", []),
        ("x > 0 and i < 0", [0, 3]),
        ("s == 'ab'", [2]),
        ("s in ('ab', 'c')", [2]),
        ("s not in ('ab', 'c')", [0, 3]),
        ("length(s) == 2", [2]),
        ("d >= '2020-01-03'", [0, 2, 3]),
        ("d <= t", [3]),
        ("t - d == 0.5", [3]),
        ("d in ('2020-01-02',)", []),
        ("f", [1]),
        ("f == 1", [1]),
        ("i > 0 if f else x > 0", []),
        ("min(i, j) > 0", []),
        ("round(x) == 0 and sqrt(x) > 0.7", [3]),
        ("abs(x) < 1 or log(x) > 0", []),
        ("1 > 2 or f", [1]),
    ],
)
def test_only_what_is_false_breaks_a_rule(text, false_rows):
    parsed = parse_expression(text)

    mask = is_false(parsed, TABLE)

    assert expression_problem(parsed, SCHEMA) == ""
    assert [row for row, is_broken in enumerate(mask) if is_broken] == false_rows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("s > 1", "a text is compared with a int64"),
        ("s + 1 > 1", "a text where a number is wanted"),
        ("i + 1", "a value of type double"),
        ("zz > 1", "there is no column 'zz'"),
        ("abs(i, j) > 1", "abs takes 1 positional argument"),
        ("length(i) > 1", "no kernel matching input types"),
        ("d > 'soon'", "soon"),
        ("i and f", "no kernel matching input types"),
    ],
)
def test_what_does_not_fit_the_types_is_known_before_a_row_is_read(text, problem):
    assert problem in expression_problem(parse_expression(text), SCHEMA)
