"""scikit-learn's estimators by name: what is taken, what is refused and why, and the answers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named
from mlops_ray.models.sklearn_catalogue import CATALOGUE
from mlops_ray.testing import estimator_rows
from mlops_ray.testing.estimator_rows import N_CLASSES


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_answers_are_those_of_scikit_learn(name):
    entry = CATALOGUE[name]
    family = family_named(f"sklearn:{name}")
    task = entry.tasks[-1]
    X, y = estimator_rows(task)
    fitted = family.fit(X, y, {}, task=task, n_classes=N_CLASSES[task], seed=3, threads=1)
    reference = entry.load()(**entry.fixed)
    if "random_state" in reference.get_params():
        reference.set_params(random_state=3)
    reference.fit(X.astype(np.float64), y)

    wanted = reference.predict if task == "regression" else reference.predict_proba
    np.testing.assert_allclose(fitted.predict(X), wanted(X.astype(np.float64)), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LogisticRegression", "it is the family 'linear'"),
        ("MLPClassifier", "products of matrices"),
        ("AdaBoostClassifier", "depends on the number of rows"),
        ("RandomForest", "did you mean 'RandomForest"),
    ],
)
def test_an_estimator_off_the_list_is_refused_with_the_reason(name, reason):
    with pytest.raises(ModelError, match=reason):
        family_named(f"sklearn:{name}")


@pytest.mark.parametrize(
    ("name", "params", "wanted"),
    [
        ("RandomForestClassifier", {"n_estimators": 0}, r"an int in the range \[1, inf\), got 0"),
        ("RandomForestClassifier", {"n_estimators": True}, "got True"),
        ("RandomForestClassifier", {"criterion": "mse"}, "'gini'"),
        ("RandomForestClassifier", {"bootstrap": 1}, "must be true or false, got 1"),
        ("RandomForestClassifier", {"class_weight": {"0": 2}}, "null, got"),
        ("RandomForestRegressor", {"criterion": "absolute_error"}, "no missing values"),
        ("RandomForestRegressor", {"max_features": 1.0}, "could be either"),
        ("RandomForestClassifier", {"n_jobs": 2}, "set 'model.threads'"),
        ("RandomForestClassifier", {"random_state": 2}, "set 'seed'"),
        ("RandomForestClassifier", {"max_dept": 2}, "did you mean 'max_depth'"),
        ("KNeighborsClassifier", {"metric": "cosine"}, "no parameter 'metric'"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_by_name(name, params, wanted):
    (problem,) = family_named(f"sklearn:{name}").check_params(params)

    assert re.search(wanted, problem)
    assert f"parameter {next(iter(params))!r}" in problem


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_parameters_offered_are_those_of_the_class(name):
    family, entry = family_named(f"sklearn:{name}"), CATALOGUE[name]

    assert set(family.resolve_params({}, entry.tasks[0])) == set(entry.params)
    assert set(entry.fixed) <= set(entry.load()().get_params())


def test_a_whole_number_for_a_real_parameter_is_a_float():
    resolved = family_named("sklearn:Lasso").resolve_params({"alpha": 1}, "regression")

    assert repr(resolved["alpha"]) == "1.0"


def test_another_seed_grows_another_forest():
    family = family_named("sklearn:RandomForestClassifier")
    X, y = estimator_rows("binary")
    options = {"task": "binary", "n_classes": 2, "threads": 1}
    one, same, other = (
        family.fit(X, y, {"n_estimators": 3}, seed=seed, **options).to_files() for seed in (1, 1, 2)
    )

    assert one == same
    assert one != other


def test_missing_values_and_another_task_are_refused():
    X, y = estimator_rows("binary", with_missing=True)
    options = {"task": "binary", "n_classes": 2, "seed": 0, "threads": 1}

    with pytest.raises(ModelError, match=r"rows with nulls.*impute"):
        family_named("sklearn:GaussianNB").fit(X, y, {}, **options)
    with pytest.raises(ModelError, match=r"Lasso does not predict a binary target"):
        family_named("sklearn:Lasso").fit(X, y, {}, **options)
