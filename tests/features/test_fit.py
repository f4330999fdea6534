import numpy as np
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_ray.config import FeatureGroup
from mlops_ray.data.profile import Profile
from mlops_ray.errors import ColumnError
from mlops_ray.features import CompiledTransform, fit_features, resolve_features

RNG = np.random.default_rng(5)


def fitted(column, dtype, *steps):
    schema = {"x": dtype}
    group = FeatureGroup.model_validate({"columns": ["x"], "steps": list(steps)})
    table = pa.table({"x": column})
    return fit_features(resolve_features([group], schema, set()), Profile.of(table, schema)), table


def fitted_of(state):
    """What was fitted for each step of the one feature."""
    return [step.fitted[0] for step in state.features[0].steps]


def test_impute_and_standardize_are_scikit_learns():
    values = RNG.lognormal(2, 1, 999)
    values[::7] = np.nan

    state, table = fitted(
        pa.array(values, from_pandas=True), "float", {"impute": "mean"}, "standardize"
    )

    reference = make_pipeline(SimpleImputer(), StandardScaler()).fit(values[:, np.newaxis])
    fill, scaling = fitted_of(state)
    assert fill["fill"] == pytest.approx(reference[0].statistics_[0], rel=1e-14)
    assert scaling["offset"] == pytest.approx(reference[1].mean_[0], rel=1e-14)
    assert scaling["scale"] == pytest.approx(reference[1].scale_[0], rel=1e-14)
    wanted = reference.transform(values[:, np.newaxis])
    np.testing.assert_allclose(CompiledTransform(state).from_table(table), wanted, rtol=1e-6)


def test_a_constant_fill_counts_in_the_mean():
    state, _ = fitted(pa.array([1.0, None]), "float", {"impute": {"value": 3.0}}, "standardize")

    fill, scaling = fitted_of(state)
    assert (fill["fill"], scaling["offset"], scaling["scale"]) == (3.0, 2.0, 1.0)


def test_without_impute_missing_values_stay_and_do_not_count():
    state, table = fitted(pa.array([1.0, None, 3.0]), "float", "standardize")

    assert [scaling["offset"] for scaling in fitted_of(state)] == [2.0]
    assert np.isnan(CompiledTransform(state).from_table(table)).tolist() == [
        [False],
        [True],
        [False],
    ]


def test_a_constant_column_gets_scale_one():
    state, _ = fitted(pa.array([0.1] * 10), "float", "standardize")

    assert fitted_of(state) == [{"offset": 0.1, "scale": 1.0}]


def test_booleans_have_mean_and_deviation():
    state, _ = fitted(pa.array([True, True, False, None]), "boolean", "standardize")

    (scaling,) = fitted_of(state)
    assert scaling["offset"] == 2 / 3
    assert scaling["scale"] == pytest.approx(np.std([1, 1, 0]))


def test_one_hot_is_scikit_learns_with_unknown_values_all_zero():
    values = RNG.choice(["a", "b", "c", "d"], 500, p=[0.5, 0.3, 0.19, 0.01])

    state, table = fitted(pa.array(values), "string", {"one_hot": {"min_count": 20}})

    encoder = OneHotEncoder(
        categories=[["a", "b", "c"]], handle_unknown="ignore", sparse_output=False
    )
    wanted = encoder.fit_transform(values[:, np.newaxis])
    assert CompiledTransform(state).from_table(table).tolist() == wanted.tolist()
    assert state.outputs == ("x=a", "x=b", "x=c")


def test_the_commonest_categories_are_kept_and_ties_go_to_the_smaller():
    values = pa.array([3] * 5 + [1] * 2 + [2] * 2)

    state, _ = fitted(values, "integer", {"one_hot": {"max_categories": 2}})

    assert fitted_of(state)[0]["categories"] == [1, 3]


@pytest.mark.parametrize(
    ("column", "dtype", "steps", "message"),
    [
        (pa.array(["a", "b"]), "string", {"one_hot": {"min_count": 2}}, "stands 1 times"),
        (pa.nulls(2, pa.float64()), "float", {"impute": "mean"}, "2 nulls in 2 rows"),
        (pa.array(range(10_001)), "integer", {"one_hot": {}}, "too many distinct"),
    ],
)
def test_what_cannot_be_fitted_names_the_column_and_the_counts(column, dtype, steps, message):
    with pytest.raises(ColumnError, match=message) as caught:
        fitted(column, dtype, steps)

    assert caught.value.where.key == "x"


def test_two_features_of_one_name_are_refused():
    schema = {"x": "string", "x=a": "float"}
    groups = [{"columns": ["x"], "steps": [{"one_hot": {}}]}, {"columns": ["x=a"]}]
    specs = resolve_features([FeatureGroup.model_validate(g) for g in groups], schema, set())
    profile = Profile.of(pa.table({"x": ["a"], "x=a": [1.0]}), schema)

    with pytest.raises(ColumnError, match="one name: got 'x=a'"):
        fit_features(specs, profile)
