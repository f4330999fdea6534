"""Laws that hold for every family and every task; the suite is the one that plug-ins get."""

from __future__ import annotations

from typing import ClassVar

import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.families import FAMILIES, family_named
from mlops_ray.models.guidance import Guidance, guided
from mlops_ray.models.sklearn_catalogue import CATALOGUE
from mlops_ray.models.sklearn_estimator_family import sklearn_family
from mlops_ray.testing import EstimatorConformance
from mlops_ray.testing.estimator_rows import N_CLASSES, estimator_rows


class TestXGBoost(EstimatorConformance):
    family = FAMILIES["xgboost"]
    params: ClassVar = {"n_estimators": 4, "subsample": 0.6, "colsample_bytree": 0.6}
    other_params: ClassVar = (
        {"max_bin": 16},
        {"max_bin": 32, "grow_policy": "lossguide"},
        {"max_depth": 2},
    )


class TestHistGradientBoosting(EstimatorConformance):
    family = FAMILIES["hist_gradient_boosting"]
    params: ClassVar = {"max_iter": 3, "max_features": 0.6}
    other_params: ClassVar = ({"max_bins": 16},)


class TestLinear(EstimatorConformance):
    family = FAMILIES["linear"]


class OfSklearn(EstimatorConformance):
    """Of all classes of the catalogue the laws are the same; each takes its own tasks."""


def _suite(name):
    family = sklearn_family(name)
    known = family.resolve_params({}, family.tasks[0])
    small = {"n_estimators": 5, "max_depth": 6, "max_features": 0.6, "alpha": 0.01}
    params = {key: value for key, value in small.items() if key in known}
    more = {"weights": "distance", "min_samples_leaf": 3, "l1_ratio": 0.2, "p": 1}
    other = tuple({key: value} for key, value in more.items() if key in known)
    body = {"family": family, "tasks": family.tasks, "params": params, "other_params": other}
    return type(f"Test{name}", (OfSklearn,), body)


globals().update({f"Test{name}": _suite(name) for name in CATALOGUE})


def test_each_family_is_tried():
    tried = {cls.family.name for cls in globals().values() if hasattr(cls, "family")}

    assert tried == {*FAMILIES, *(f"sklearn:{name}" for name in CATALOGUE)}


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_model_of_another_task_is_refused(name, task, fit):
    other = "regression" if task != "regression" else "binary"
    files = fit(name, task).to_files()

    with pytest.raises(ModelError):
        family_named(name).from_files(files, task=other, n_classes=N_CLASSES[other])


def test_neighbours_take_no_weights():
    options = {"task": "regression", "n_classes": 0, "threads": 1}
    X, y = estimator_rows("regression")

    with pytest.raises(ModelError, match="KNeighborsRegressor takes no weight"):
        guided(
            family_named("sklearn:KNeighborsRegressor"),
            X,
            y,
            Guidance(weights=y * 0 + 1),
            **options,
        )
