"""Laws that hold for every family and every task; the suite is the one that plug-ins get."""

from __future__ import annotations

from typing import ClassVar

import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.families import FAMILIES, family_named
from mlops_ray.testing import EstimatorConformance
from mlops_ray.testing.estimator_rows import N_CLASSES


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


def test_each_family_is_tried():
    classes = EstimatorConformance.__subclasses__()

    assert {cls.family.name for cls in classes if cls.__module__ == __name__} == set(FAMILIES)


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_model_of_another_task_is_refused(name, task, fit):
    other = "regression" if task != "regression" else "binary"
    files = fit(name, task).to_files()

    with pytest.raises(ModelError):
        family_named(name).from_files(files, task=other, n_classes=N_CLASSES[other])
