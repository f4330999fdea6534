"""Every step against scikit-learn, scipy or pandas on the same rows."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from mlops_ray.features import CompiledTransform

N_ROWS = 1500
RNG = np.random.default_rng(12)


def numbers(seed):
    """Floats around zero, with ties, a heavy tail and nulls."""
    rng = np.random.default_rng(seed)
    values = rng.normal(3, 2, N_ROWS) * 10.0 ** rng.integers(-2, 3, N_ROWS)
    values[::11] = np.round(values[::11])
    values[rng.random(N_ROWS) < 0.1] = np.nan
    return values


def one(with_key, values, dtype=None):
    return with_key(x=pa.array(values, dtype, from_pandas=True))


def assert_close(got, wanted):
    np.testing.assert_allclose(
        got, np.asarray(wanted, np.float64).reshape(got.shape), rtol=1e-6, atol=1e-7
    )


def column(values):
    return np.asarray(values)[:, np.newaxis]


@pytest.fixture
def transformed(bench, with_key):
    """The features of one column after some steps."""

    def run(values, *steps, dtype=None):
        table = one(with_key, values, dtype)
        state = bench.fit([{"columns": ["x"], "steps": list(steps)}], table)
        return CompiledTransform(state).from_table(table)

    return run


@pytest.mark.parametrize(
    ("step", "oracle", "passes"),
    [
        ({"impute": "mean"}, SimpleImputer(), 0),
        ({"impute": "median"}, SimpleImputer(strategy="median"), 1),
        ({"impute": {"value": -1}}, SimpleImputer(strategy="constant", fill_value=-1), 0),
        ("standardize", StandardScaler(), 0),
        ("min_max", MinMaxScaler(), 0),
        ({"min_max": {"low": -2, "high": 3.5}}, MinMaxScaler((-2, 3.5)), 0),
        ("robust", RobustScaler(), 1),
        ({"robust": {"low": 0.1, "high": 0.8}}, RobustScaler(quantile_range=(10, 80)), 1),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_scalers_and_imputers_are_scikit_learns(transformed, bench, step, oracle, passes, seed):
    values = numbers(seed)

    got = transformed(values, step)

    assert_close(got, oracle.fit_transform(column(values)))
    assert (bench.passes, bench.planned) == (passes, passes)


def test_exact_quantiles_have_the_bits_of_numpy(bench, with_key):
    values = numbers(5)
    steps = [{"clip": {"quantiles": [0.01, 0.99]}}]

    state = bench.fit([{"columns": ["x"], "steps": steps}], one(with_key, values))

    (fitted,) = state.features[0].steps[0].fitted
    assert [fitted["low"], fitted["high"]] == np.nanquantile(values, [0.01, 0.99]).tolist()


@pytest.mark.parametrize("spread", [1e-9, 1.0, 1e6])
def test_exact_quantiles_of_values_in_one_bucket(bench, with_key, spread):
    values = 1e8 + RNG.normal(0, spread, 400)

    state = bench.fit([{"columns": ["x"], "steps": ["robust"]}], one(with_key, values))

    assert state.features[0].steps[0].fitted[0]["offset"] == np.median(values)


def test_quantiles_read_off_the_profile_are_within_their_bound_and_cost_no_pass(bench, with_key):
    values = np.random.default_rng(3).lognormal(1, 2, N_ROWS)
    steps = [{"robust": {"exact": False}}]

    state = bench.fit([{"columns": ["x"], "steps": steps}], one(with_key, values))

    (fitted,) = state.features[0].steps[0].fitted
    assert fitted["offset"] == pytest.approx(np.median(values), rel=0.032)
    assert (bench.passes, bench.planned) == (0, 0)


def test_counted_integers_know_their_quantiles_without_a_pass(bench, with_key):
    values = np.random.default_rng(4).integers(0, 500, N_ROWS)

    state = bench.fit([{"columns": ["x"], "steps": ["robust"]}], one(with_key, values))

    assert state.features[0].steps[0].fitted[0]["offset"] == np.median(values)
    assert (bench.passes, bench.planned) == (0, 1)


def test_integers_that_are_one_float_are_counted_together(bench, with_key):
    values = [2**54 + at for at in (-1, 0, 1, 100, 100)] * 20 + [None] * 7
    table = one(with_key, values, pa.int64())
    present = np.array(values[:-7], dtype=np.float64)

    median, mode = (
        bench.fit([{"columns": ["x"], "steps": [{"impute": strategy}]}], table)
        for strategy in ("median", "mode")
    )

    assert median.features[0].steps[0].fitted[0]["fill"] == np.median(present)
    assert mode.features[0].steps[0].fitted[0]["fill"] == stats.mode(present).mode


def test_the_commonest_value_is_scikit_learns(transformed):
    values = np.random.default_rng(4).integers(0, 9, N_ROWS).astype(object)
    values[::5] = None
    oracle = SimpleImputer(strategy="most_frequent", missing_values=np.nan)

    got = transformed(values.tolist(), {"impute": "mode"}, dtype=pa.int64())

    assert_close(got, oracle.fit_transform(column(values.astype(float))))


def test_an_indicator_of_nulls_is_scikit_learns(transformed):
    values = numbers(7)

    got = transformed(values, {"impute": {"strategy": "mean", "indicator": True}}, "standardize")

    filled = SimpleImputer().fit_transform(column(values))
    assert_close(got[:, :1], StandardScaler().fit_transform(filled))
    assert (got[:, 1:] == MissingIndicator().fit_transform(column(values))).all()


@pytest.mark.parametrize("function", ["log1p", "log", "log2", "log10"])
def test_logarithms_are_numpys(transformed, function):
    values = np.abs(numbers(1)) + 1e-3

    assert_close(transformed(values, {"log": function}), getattr(np, function)(values))


@pytest.mark.parametrize("exponent", [-1.5, 0.0, 0.3, 1.0, 2.0, 3.0])
def test_power_transforms_are_scipys(transformed, exponent):
    values = numbers(2)
    positive = np.abs(values) + 0.1

    johnson = transformed(values, {"power": {"method": "yeo_johnson", "lambda": exponent}})
    cox = transformed(positive, {"power": {"method": "box_cox", "lambda": exponent}})

    there = ~np.isnan(values)
    assert_close(johnson[there], stats.yeojohnson(values[there], exponent))
    assert_close(cox[there], stats.boxcox(positive[there], exponent))
    assert_close(transformed(positive, {"power": "sqrt"}), np.sqrt(positive))


def test_clipping_is_pandas(transformed):
    values = numbers(3)

    assert_close(transformed(values, {"clip": [-1, 4.5]}), pd.Series(values).clip(-1, 4.5))
    assert_close(transformed(values, {"clip": {"low": 0}}), pd.Series(values).clip(0))


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
@pytest.mark.parametrize("n_bins", [2, 5, 20])
def test_bins_are_scikit_learns(transformed, strategy, n_bins):
    values = numbers(6)[:, np.newaxis]
    values = values[~np.isnan(values)]
    more = {"quantile_method": "linear"} if strategy == "quantile" else {}
    oracle = KBinsDiscretizer(n_bins, encode="ordinal", strategy=strategy, subsample=None, **more)

    way = "quantiles" if strategy == "quantile" else strategy
    ordinal = transformed(values, {"bins": {way: n_bins}})
    one_hot = transformed(values, {"bins": {way: n_bins, "encode": "one_hot"}})

    wanted = oracle.fit_transform(column(values))
    assert ordinal.tolist() == wanted.tolist()
    assert (one_hot == (wanted == np.arange(n_bins))).all()


def test_bins_at_declared_edges_are_numpys(transformed):
    values = numbers(8)

    got = transformed(values, {"bins": [-1, 0, 2.5]})[:, 0]

    there = ~np.isnan(values)
    assert got[there].tolist() == np.digitize(values[there], [-1, 0, 2.5]).tolist()
    assert np.isnan(got[~there]).all()


WORDS = np.array(["a", "b", "", "é", "long " * 9, None, "rare"], dtype=object)


def words(seed):
    return np.random.default_rng(seed).choice(
        WORDS, N_ROWS, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.09, 0.01]
    )


def test_one_hot_with_nulls_is_scikit_learns(transformed):
    values = words(1)

    got = transformed(values, {"one_hot": {"null": "category"}})

    assert (got == OneHotEncoder(sparse_output=False).fit_transform(column(values))).all()


def test_ordinal_is_scikit_learns(transformed):
    values = words(2)
    oracle = OrdinalEncoder(encoded_missing_value=np.nan)

    with_nan = np.array([math.nan if value is None else value for value in values], dtype=object)
    assert_close(transformed(values, "ordinal"), oracle.fit_transform(column(with_nan)))
    order = ["b", "a"]
    declared = transformed(values, {"ordinal": {"order": order, "unseen": -7, "null": -8}})[:, 0]
    wanted = [{"b": 0, "a": 1, None: -8}.get(value, -7) for value in values]
    assert declared.tolist() == wanted


def test_frequency_is_pandas(transformed):
    values = words(3)
    series = pd.Series(values, dtype=object)

    counts = series.value_counts(normalize=True, dropna=False)
    wanted = [counts[None] if value is None else counts[value] for value in values]
    assert_close(transformed(values, "frequency"), wanted)
    kept = transformed(values, {"frequency": {"normalize": False, "null": "keep"}})
    assert_close(kept, series.map(series.value_counts()).to_numpy(float))


def test_rare_categories_are_scikit_learns_infrequent_ones(transformed):
    values = words(4)[words(4) != np.array(None)]

    got = transformed(values, {"rare": {"min_count": 40, "label": "ÿ"}}, "one_hot")

    oracle = OneHotEncoder(min_frequency=40, sparse_output=False)
    assert (got == oracle.fit_transform(column(values))).all()


@pytest.mark.parametrize("signed", [True, False])
def test_hashing_is_scikit_learns(transformed, signed):
    values = words(5)
    texts = [[] if value is None else [value] for value in values]
    oracle = FeatureHasher(17, input_type="string", alternate_sign=signed)

    got = transformed(values, {"hashing": {"n_buckets": 17, "signed": signed}})

    assert (got == oracle.transform(texts).toarray()).all()


def test_half_of_a_surrogate_pair_is_hashed_like_any_other_text(bench, with_key):
    state = bench.fit([{"columns": ["x"], "steps": [{"hashing": 8}]}], with_key(x=["a", "b"]))

    found = CompiledTransform(state).from_records([{"x": json.loads('"\\ud800"')}])

    assert np.abs(found).sum() == 1


def test_filled_and_grouped_categories_are_hashed_as_what_they_have_become(transformed):
    values = words(5)
    steps = [{"impute": {"value": "a"}}, {"rare": 40}, {"hashing": 8}]

    got = transformed(values, *steps)

    changed = ["a" if v is None else "(rare)" if v == "rare" else v for v in values]
    oracle = FeatureHasher(8, input_type="string").transform([[value] for value in changed])
    assert (got == oracle.toarray()).all()


@pytest.mark.parametrize("unit", ["us", "ns", "s"])
def test_date_parts_are_pandas(transformed, unit):
    days = np.random.default_rng(1).integers(-40_000, 40_000, N_ROWS)
    seconds = np.random.default_rng(2).integers(0, 86_400, N_ROWS)
    times = (days * 86_400 + seconds).astype("M8[s]").astype("M8[us]")
    parts = [
        "year",
        "quarter",
        "month",
        "day",
        "day_of_year",
        "weekday",
        "hour",
        "minute",
        "second",
    ]

    got = transformed(times, {"date_parts": [*parts, "weekend"]}, dtype=pa.timestamp(unit))

    at = pd.Series(times).dt
    for index, part in enumerate(parts):
        name = {"weekday": "day_of_week"}.get(part, part)
        assert got[:, index].tolist() == getattr(at, name).tolist()
    assert got[:, -1].tolist() == (at.day_of_week >= 5).tolist()


def test_cycles_lie_on_a_circle(transformed):
    times = np.arange("2019-12-25", "2021-01-10", dtype="M8[D]")

    got = transformed(times, {"date_parts": {"cycles": ["month", "weekday"]}})

    month, weekday = pd.Series(times).dt.month - 1, pd.Series(times).dt.day_of_week
    for at, turn in ((0, month / 12), (2, weekday / 7)):
        assert_close(got[:, at], np.sin(2 * np.pi * turn))
        assert_close(got[:, at + 1], np.cos(2 * np.pi * turn))


@pytest.mark.parametrize(("degree", "include"), [(2, False), (2, True), (3, True)])
def test_interactions_are_scikit_learns(bench, with_key, degree, include):
    columns = {name: RNG.normal(size=60) for name in "abc"}
    table = with_key(**columns)
    step = {"interactions": {"degree": degree, "include": include}}

    state = bench.fit([{"columns": ["a", "b", "c"], "steps": [step]}], table)

    oracle = PolynomialFeatures(degree, interaction_only=True, include_bias=False)
    wanted = oracle.fit_transform(np.stack(list(columns.values()), axis=1))
    assert_close(CompiledTransform(state).from_table(table), wanted if include else wanted[:, 3:])


def test_a_formula_is_pandas_eval_and_can_be_scaled(bench, with_key):
    a, b = RNG.lognormal(size=300), RNG.normal(size=300)
    table = with_key(a=a, b=b)
    text = "log1p(a) * 2 - b ** 2 / (a + 1)"
    expression = {"expression": {"name": "e", "formula": text}}

    state = bench.fit([{"columns": ["a", "b"], "steps": [expression, "standardize"]}], table)

    wanted = pd.DataFrame({"a": a, "b": b}).eval(text).to_numpy()
    oracle = StandardScaler().fit_transform(column(wanted))
    assert state.outputs == ("e",)
    assert_close(CompiledTransform(state).from_table(table), oracle)
    assert (bench.passes, bench.planned) == (1, 1)


def test_statistics_after_a_step_are_those_of_what_it_made(bench, with_key):
    values = np.abs(numbers(9)) + 0.01
    steps = [
        {"impute": "median"},
        {"log": "log"},
        "standardize",
        {"clip": {"quantiles": [0.1, 0.9]}},
    ]
    table = one(with_key, values)

    state = bench.fit([{"columns": ["x"], "steps": steps}], table)

    logs = np.log(SimpleImputer(strategy="median").fit_transform(column(values)))
    scaled = StandardScaler().fit_transform(logs)[:, 0]
    wanted = np.clip(scaled, *np.quantile(scaled, [0.1, 0.9]))
    assert_close(CompiledTransform(state).from_table(table), wanted)
    # The median; mean and deviation of the logarithms; the clipped column, and its quantiles.
    assert (bench.passes, bench.planned) == (4, 4)


def test_numbers_made_of_categories_go_through_steps_of_numbers(transformed, bench):
    values = words(6)

    got = transformed(values, "frequency", "standardize", {"bins": 3})

    shares = pd.Series(values, dtype=object).map(
        lambda v: (values == v).mean() if v is not None else pd.isna(values).mean()
    )
    scaled = StandardScaler().fit_transform(column(shares))
    edges = np.quantile(scaled, [1 / 3, 2 / 3])
    assert math.isclose(got.mean(), np.digitize(scaled, edges).mean(), abs_tol=1e-6)
    assert (bench.passes, bench.planned) == (1, 2)  # Few distinct values are known exactly.
