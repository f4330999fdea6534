"""Fixtures shared by the model tests."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.features import CompiledTransform, FeatureState, number_feature, one_hot_feature
from mlops_ray.models.families import family_named
from mlops_ray.models.golden import records_of
from mlops_ray.models.packing import pack_bundle, signature_of
from mlops_ray.models.predictor import Predictor
from mlops_ray.testing.estimator_rows import N_CLASSES, estimator_rows


@pytest.fixture(scope="session")
def training_rows():
    """The function `estimator_rows`."""
    return estimator_rows


@pytest.fixture(scope="session")
def fit():
    """Fits a family on `estimator_rows`, with sampling and few rounds."""

    def fit_family(name, task, **options):
        small = {
            "xgboost": {"n_estimators": 8, "subsample": 0.7, "colsample_bytree": 0.7},
            "hist_gradient_boosting": {"max_iter": 4, "max_features": 0.7},
            "linear": {},
        }
        family = family_named(name)
        X, y = estimator_rows(task, with_missing=family.accepts_missing)
        settings = {"seed": 5, "threads": 1, "task": task, "n_classes": N_CLASSES[task]}
        return family.fit(X, y, small[name], **{**settings, **options})

    return fit_family


@pytest.fixture(scope="session")
def people():
    """A table with a number that has nulls, an integer, a boolean and a category."""
    rng = np.random.default_rng(3)
    n = 400
    age = rng.normal(40, 12, n)
    city = rng.choice(["Bern", "Zürich", "Genf"], n)
    missing = rng.random(n) < 0.1
    return pa.table(
        {
            "age": pa.array(age, mask=missing),
            "city": city,
            "rooms": rng.integers(1, 9, n),
            "owner": rng.random(n) < 0.5,
            "unused": np.arange(n),
        }
    )


@pytest.fixture(scope="session")
def people_state():
    """Feature state of `people`."""
    return FeatureState(
        (
            number_feature("age", "float", fill=40.5, offset=40.5, scale=12.25),
            one_hot_feature("city", "string", ("Bern", "Zürich")),
            number_feature("rooms", "integer", fill=None, offset=None, scale=None),
            number_feature("owner", "boolean", fill=None, offset=None, scale=None),
        )
    )


@pytest.fixture(scope="session")
def make_bundle(people, people_state):
    """Packs a bundle of a family and a task, fitted on `people`."""

    def pack(name="xgboost", task="binary"):
        X = CompiledTransform(people_state).from_table(people)
        rooms = np.asarray(people["rooms"])
        y = {
            "binary": (rooms > 4).astype(np.int32),
            "multiclass": (rooms % 3).astype(np.int32),
            "regression": rooms + 0.25 * X[:, 0].astype(np.float64),
        }[task]
        classes = {"binary": ["no", "yes"], "multiclass": [0, 1, 2], "regression": []}[task]
        family = family_named(name)
        fitted = family.fit(X, y, {}, task=task, n_classes=len(classes), seed=1, threads=1)
        signature = signature_of(people_state, family, task, classes)
        examples = records_of(people.slice(0, 8), signature)
        return pack_bundle(people_state, signature, fitted, examples)

    return pack


@pytest.fixture(scope="session")
def predictor(make_bundle):
    """A binary classifier over `people`."""
    return Predictor(make_bundle())
