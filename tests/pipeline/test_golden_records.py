"""Golden records fit their model, show nobody's row, and cover more than typical values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.config.feature_steps import FeatureGroup
from mlops_ray.data.profile import Profile
from mlops_ray.data.schema import schema_of
from mlops_ray.features import CompiledTransform
from mlops_ray.features.fit import fit_features
from mlops_ray.features.plan import resolve_features
from mlops_ray.models.families import family_named
from mlops_ray.models.packing import signature_of
from mlops_ray.pipeline.golden_records import golden_records

GROUPS = [
    {"columns": ["age"], "steps": [{"impute": "mean"}, "standardize"]},
    {"columns": ["city", "zone"], "steps": ["one_hot"]},
    {"columns": ["*"]},
]


@pytest.fixture
def people():
    rng = np.random.default_rng(5)
    return pa.table(
        {
            "age": pa.array(rng.normal(40, 10, 300), mask=rng.random(300) < 0.1),
            "city": pa.array(rng.choice(["Bern", "Genf", "Zug"], 300, p=[0.2, 0.5, 0.3])),
            "zone": pa.array(rng.integers(1, 5, 300)),
            "rooms": pa.array(rng.integers(1, 9, 300)),
            "owner": pa.array(rng.random(300) < 0.5),
        }
    )


def make(table, groups, family="xgboost"):
    """The records, and the transform that has to take them."""
    schema = schema_of([("", table.schema)])
    specs = resolve_features([FeatureGroup.model_validate(g) for g in groups], schema, set())
    profile = Profile.of(table, schema)
    state, estimator = fit_features(specs, profile), family_named(family)
    signature = signature_of(state, estimator, "regression", ())
    transform = CompiledTransform(state, accepts_missing=estimator.accepts_missing)
    return golden_records(signature, profile, transform), transform


def test_every_record_fits_the_model(people):
    records, transform = make(people, GROUPS)

    assert len(records) == 9
    assert {tuple(record) for record in records} == {("age", "city", "zone", "rooms", "owner")}
    assert transform.from_records(records).shape == (9, 10)


def test_numbers_reach_from_the_smallest_to_the_largest(people):
    ages = people["age"].drop_null().to_numpy()

    records, _ = make(people, GROUPS)
    golden = [record["age"] for record in records[:-1]]

    assert min(golden) == pytest.approx(ages.min(), rel=0.033)
    assert max(golden) == pytest.approx(ages.max(), rel=0.033)
    assert ages.min() <= min(golden) < max(golden) <= ages.max()
    assert golden[0] == pytest.approx(np.median(ages), rel=0.04)
    assert all(type(record["rooms"]) is int for record in records[:-1])


def test_categories_go_from_the_commonest_down_and_one_was_never_seen(people):
    records, _ = make(people, GROUPS)

    cities = [record["city"] for record in records[:-1]]
    assert cities[:3] == ["Genf", "Zug", "Bern"]
    assert cities[-1] not in {"Genf", "Zug", "Bern", None}


def test_the_last_record_is_null_wherever_nulls_are_answered(people):
    records, _ = make(people, GROUPS)

    assert set(records[-1].values()) == {None}


def test_a_family_that_takes_no_nulls_gets_them_only_where_they_are_filled(people):
    records, transform = make(people, GROUPS, family="linear")

    nulls = {name for name, value in records[-1].items() if value is None}
    assert nulls == {"age", "city", "zone"}
    assert transform.from_records(records).shape == (9, 10)


def test_the_same_profile_gives_the_same_records_whatever_the_order_of_the_rows(people):
    shuffled = people.take(np.random.default_rng(0).permutation(300))

    assert make(people, GROUPS)[0] == make(shuffled, GROUPS)[0]
    assert make(people, GROUPS)[0] != make(people.slice(150), GROUPS)[0]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([2**63 - 1, -(2**63), 0], id="the ends of int64"),
        pytest.param([5, 5, 5], id="one value"),
        pytest.param([0, None, None], id="mostly null"),
        pytest.param([1e-300, -1e-300, 3e38], id="tiny and just fitting float32"),
        pytest.param([True, None, True], id="one truth"),
    ],
)
@pytest.mark.parametrize("family", ["xgboost", "linear"])
def test_extreme_columns_give_records_that_are_answered(values, family):
    steps = [{"impute": {"value": 0.0}}]
    groups = [{"columns": ["x"], "steps": steps}]

    records, transform = make(pa.table({"x": values}), groups, family)

    assert np.isfinite(transform.from_records(records)).all()
