"""A small search task."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.search.task import SearchTask


@pytest.fixture(scope="session")
def make_task():
    """Makes a binary task of 200 rows; options replace its fields."""

    def make(**options):
        rng = np.random.default_rng(4)
        X = rng.normal(size=(200, 5)).astype(np.float32)
        y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int32)
        fields = {
            "X_train": X[:150],
            "y_train": y[:150],
            "X_valid": X[150:],
            "y_valid": y[150:],
            "family": "xgboost",
            "task": "binary",
            "n_classes": 2,
            "params": {"n_estimators": 5},
            "metric": "roc_auc",
            "threads": 1,
        }
        return SearchTask(**{**fields, **options})

    return make
