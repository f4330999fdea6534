"""Every step fitted on one random table and asked about another, by both ways, against an oracle.

The other table has nulls, categories that training never saw and values out of its range.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OrdinalEncoder, RobustScaler, StandardScaler

from mlops_ray.features import CompiledTransform
from mlops_ray.features.feature_examples import table_of_records
from mlops_ray.features.steps import DECLARABLE

NUMBER = st.integers(-4000, 4000).map(lambda n: n / 8)
TEXT = st.sampled_from(["", "a", "b", "é", "a\0", "long " * 9]) | st.text("abc", max_size=3)
TIME = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001


def column(values):
    return np.array(values, dtype=np.float64)[:, np.newaxis]


def fitted(oracle):
    """What a transformer of scikit-learn makes of the other rows."""
    return lambda train, other: oracle().fit(column(train)).transform(column(other))


def imputed(train, other):
    oracle = SimpleImputer(strategy="median").fit(column(train))
    flags = MissingIndicator(features="all").fit_transform(column(other))
    return np.hstack([oracle.transform(column(other)), flags])


def binned(train, other):
    known = np.array([v for v in train if v is not None], dtype=np.float64)
    edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    edges = edges[(edges > known.min()) & (edges <= known.max())]
    found = np.digitize(column(other), edges).astype(np.float64)
    found[np.isnan(column(other))] = np.nan
    return found


def categories(train):
    return sorted({value for value in train if value is not None}, key=lambda v: v.encode())


def one_hot(train, other):
    return [[float(value == known) for known in categories(train)] for value in other]


def ordinal(train, other):
    oracle = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    oracle.fit([[value] for value in train if value is not None])
    return [
        [np.nan] if value is None else oracle.transform([[value]])[0].tolist() for value in other
    ]


def frequency(train, other):
    shares = pd.Series(train, dtype=object).value_counts(normalize=True, dropna=False)
    table = {None if pd.isna(key) else key: share for key, share in shares.items()}
    return [table.get(value, 0.0) for value in other]


def rare(train, other):
    counts = pd.Series(train, dtype=object).value_counts()
    kept = {value for value, n in counts.items() if n >= 2}
    return one_hot(
        [None if v is None else v if v in kept else "(rare)" for v in train],
        [None if v is None else v if v in kept else "(rare)" for v in other],
    )


def hashed(_train, other):
    texts = [[] if value is None else [value] for value in other]
    return FeatureHasher(7, input_type="string").transform(texts).toarray()


def target(train, other):
    y = pd.Series(np.arange(len(train)) % 2, dtype=float)
    groups = y.groupby(pd.Series([v if v is not None else "\x00null" for v in train])).agg(
        ["sum", "count"]
    )
    means = (groups["sum"] + 3.0 * y.mean()) / (groups["count"] + 3.0)
    table = means.to_dict()
    return [table.get("\x00null" if v is None else v, y.mean()) for v in other]


def parts(_train, other):
    at = pd.Series(pd.to_datetime(other)).dt
    turn = 2 * np.pi * at.hour / 24
    weekend = (at.day_of_week >= 5).where(at.day_of_week.notna())
    found = [at.year, at.day_of_year, weekend, np.sin(turn), np.cos(turn)]
    return np.stack([np.asarray(part, np.float64) for part in found], 1)


def elementwise(function):
    return lambda _train, other: function(column(other))


def yeo_johnson(values):
    found = values.copy()
    there = ~np.isnan(values)
    found[there] = stats.yeojohnson(values[there], 0.3)
    return found


CASES = {
    "impute": (NUMBER, [{"impute": {"strategy": "median", "indicator": True}}], imputed),
    "standardize": (NUMBER, ["standardize"], fitted(StandardScaler)),
    "min_max": (NUMBER, [{"min_max": "clip"}], fitted(lambda: MinMaxScaler(clip=True))),
    "robust": (NUMBER, ["robust"], fitted(RobustScaler)),
    "log": (
        NUMBER, [{"log": {"function": "log", "out_of_range": "null"}}],
        elementwise(lambda x: np.log(np.where(x > 0, x, np.nan))),
    ),
    "power": (NUMBER, [{"power": {"method": "yeo_johnson", "lambda": 0.3}}],
              elementwise(yeo_johnson)),
    "clip": (NUMBER, [{"clip": [-100, 99.5]}], elementwise(lambda x: np.clip(x, -100, 99.5))),
    "bins": (NUMBER, [{"bins": {"quantiles": 4}}], binned),
    "one_hot": (TEXT, ["one_hot"], one_hot),
    "ordinal": (TEXT, ["ordinal"], ordinal),
    "frequency": (TEXT, ["frequency"], frequency),
    "rare": (TEXT, [{"rare": 2}, "one_hot"], rare),
    "hashing": (TEXT, [{"hashing": 7}], hashed),
    "target": (TEXT, [{"target": {"smoothing": 3, "folds": 2}}], target),
    "date_parts": (
        TIME, [{"date_parts": {"parts": ["year", "day_of_year", "weekend"], "cycles": ["hour"]}}],
        parts,
    ),
    "interactions": (NUMBER, [{"interactions": {"include": True}}],
                     elementwise(lambda x: np.hstack([x, x + 1, x * (x + 1)]))),
    "expression": (NUMBER, [{"expression": {"name": "e", "formula": "abs(x) / (1 + z ** 2)"}}],
                   elementwise(lambda x: pd.DataFrame({"x": x[:, 0], "z": x[:, 0] + 1})
                               .eval("abs(x) / (1 + z ** 2)").to_numpy())),
}  # fmt: skip
JOINT = {"interactions", "expression"}


def test_every_step_has_an_oracle():
    assert DECLARABLE - CASES.keys() == {"function"}  # See test_functions.


@pytest.fixture(scope="module")
def bench(tmp_path_factory, bench_of):
    return bench_of(tmp_path_factory.mktemp("oracles"))


def rows(values, cell):
    kind = {id(TEXT): pa.string(), id(TIME): pa.timestamp("us")}.get(id(cell), pa.float64())
    table = pa.table({"x": pa.array(values, kind)})
    if kind != pa.float64():
        return table
    return table.append_column("z", pa.array([v if v is None else v + 1 for v in values], kind))


@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_other_rows_than_those_of_training_are_the_oracles_by_both_ways(bench, name, data):
    cell, steps, oracle = CASES[name]
    train = data.draw(st.lists(st.none() | cell, min_size=2, max_size=25), "train")
    train += [data.draw(cell, "one value"), data.draw(cell, "and a frequent one")] * 2
    other = data.draw(st.lists(st.none() | cell, min_size=1, max_size=25), "other")
    table = rows(train, cell)
    table = table.append_column("k", pa.array(np.arange(len(train))))
    table = table.append_column("y", pa.array(np.arange(len(train)) % 2 * 1.0))

    columns = ["x", "z"] if name in JOINT else ["x"]
    transform = CompiledTransform(bench.fit([{"columns": columns, "steps": steps}], table))

    asked = rows(other, cell).select(columns)
    got = transform.from_table(asked)
    records = [
        {k: v.isoformat() if isinstance(v, dt.datetime) else v for k, v in record.items()}
        for record in asked.to_pylist()
    ]
    assert transform.from_records(records).tobytes() == got.tobytes()
    assert table_of_records(records, transform.state.inputs).equals(asked)
    alone = [transform.from_records([record]).tobytes() for record in records]
    assert b"".join(alone) == got.tobytes()
    wanted = np.asarray(oracle(train, other), np.float64).reshape(got.shape)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
