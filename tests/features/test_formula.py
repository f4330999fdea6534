"""Formulas: pandas' answers, Python's grammar, nothing else."""

import math

import numpy as np
import pandas as pd
import pytest

from mlops_ray.errors import ConfigError
from mlops_ray.features.formula import FUNCTIONS, parse_formula

RNG = np.random.default_rng(2)
COLUMNS = {"a": RNG.normal(size=50), "b": RNG.lognormal(size=50), "mean c": RNG.normal(size=50)}


def value(text, **columns):
    given = {name: np.array([x], np.float64) for name, x in columns.items()}
    return float(parse_formula(text).evaluate(given)[0, 0])


@pytest.mark.parametrize(
    "text",
    ["a + b * 2 - 3", "-a / b", "a ** 2", "b ** 0.5", "a % b", "a // b", "a < b", "a >= 0.5", "+a"],
)
def test_arithmetic_is_pandas(text):
    got = parse_formula(text).evaluate(COLUMNS)[0]

    wanted = pd.eval(text, local_dict={k: pd.Series(v) for k, v in COLUMNS.items() if k in "ab"})
    np.testing.assert_allclose(got, wanted.astype(float), rtol=1e-12)


@pytest.mark.parametrize("name", ["abs", "sqrt", "exp", "log", "log1p", "log10", "floor", "ceil"])
def test_functions_are_maths(name):
    function = {"abs": abs}.get(name) or getattr(math, name)

    assert value(f"{name}(x)", x=2.5) == pytest.approx(function(2.5), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("min(x, 2)", 2.0), ("max(x, 2)", 3.0), ("where(x > 2, 10, 20)", 10.0), ("sign(-x)", -1.0),
        ("10 if x < 2 else 20", 20.0), ("1 < x < 4", 1.0), ("x in (1, 3)", 1.0),
        ("x not in (1, 3)", 0.0), ("x > 1 and not x > 2", 0.0), ("x > 5 or x == 3", 1.0),
        ("fill(n, x)", 3.0), ("is_null(n)", 1.0), ("where(is_null(n), 5, n)", 5.0),
        ("n + x", math.nan), ("n > x", math.nan), ("where(n, 1, 2)", math.nan),
        ("x / 0", math.nan), ("log(0 * x)", math.nan), ("log(-x)", math.nan),
        ('col("mean c") * 2', 8.0),
    ],
)  # fmt: skip
def test_nulls_conditions_and_results_that_do_not_exist(text, wanted):
    got = value(text, x=3.0, n=math.nan, **{"mean c": 4.0})

    assert got == wanted or (math.isnan(got) and math.isnan(wanted))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('x')", "at character 1"),
        ("a.b", "an attribute, at character 1"),
        ("a + b[0]", "a subscript, at character 5"),
        ("[x for x in a]", "character 1"),
        ("lambda: a", "character 1"),
        ("a := 3", "character"),
        ("lgo(a)", "'lgo' is not known here, at character 1"),
        ("a + 'x'", "knows no texts"),
        ("abs(a, a)", "a function of 1 is given 2 values"),
        ("where(a)", "a function of 3 is given 1 values"),
        ("1 + 2", "no column"),
        ("a +", "character"),
        ("(" * 300 + "a" + ")" * 300, "cannot be used"),
        ("a" + " + a" * 300, "parts"),
    ],
)
def test_anything_else_is_refused_with_its_place(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_formula(text)


def test_no_function_writes_into_its_columns():
    columns = {name: values.copy() for name, values in COLUMNS.items()}
    arity = {"min": 2, "max": 2, "fill": 2, "where": 3}
    for name in FUNCTIONS:
        arguments = ", ".join(("a", "b", "a")[: arity.get(name, 1)])
        parse_formula(f"{name}({arguments})").evaluate(columns)

    assert all((columns[name] == COLUMNS[name]).all() for name in COLUMNS)
