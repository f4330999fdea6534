"""XGBoost: base scores, parameters that reach the booster, sampling that stays seeded."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import xgboost

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named


def _config(fitted):
    booster = xgboost.Booster()
    booster.load_model(bytearray(fitted.to_files()["model.ubj"]))
    return json.loads(booster.save_config())["learner"]


def _base_scores(fitted):
    text = _config(fitted)["learner_model_param"]["base_score"]
    return np.array([float(item) for item in text.strip("[]").split(",")])


def test_base_score_of_a_regression_is_the_mean(fit, training_rows):
    _, y = training_rows("regression", with_missing=True)

    np.testing.assert_allclose(_base_scores(fit("xgboost", "regression")), [y.mean()], rtol=1e-6)


def test_base_score_of_a_binary_task_is_the_share_of_class_one(fit, training_rows):
    _, y = training_rows("binary", with_missing=True)

    np.testing.assert_allclose(_base_scores(fit("xgboost", "binary")), [y.mean()], rtol=1e-6)


def test_base_scores_of_classes_have_the_class_shares_as_their_softmax(fit, training_rows):
    _, y = training_rows("multiclass", with_missing=True)

    powers = np.exp(_base_scores(fit("xgboost", "multiclass")))

    np.testing.assert_allclose(powers / powers.sum(), np.bincount(y) / y.size, rtol=1e-5)


def test_another_seed_samples_other_rows(fit):
    assert fit("xgboost", "binary", seed=1).to_files() != fit("xgboost", "binary").to_files()


def test_a_booster_between_two_others_does_not_disturb_their_sampling(fit):
    alone = fit("xgboost", "multiclass", seed=1).to_files()

    fit("xgboost", "binary", seed=2)

    assert fit("xgboost", "multiclass", seed=1).to_files() == alone


def test_a_prediction_equals_that_of_an_ordinary_booster(fit, training_rows):
    X, _ = training_rows("regression")
    fitted = fit("xgboost", "regression")
    booster = xgboost.Booster()
    booster.load_model(bytearray(fitted.to_files()["model.ubj"]))

    assert np.array_equal(fitted.predict(X), booster.predict(xgboost.DMatrix(X)))


def test_n_estimators_is_the_number_of_rounds(training_rows):
    X, y = training_rows("binary")

    fitted = family_named("xgboost").fit(
        X, y, {"n_estimators": 3}, task="binary", n_classes=2, seed=0, threads=1
    )

    assert _config(fitted)["gradient_booster"]["gbtree_model_param"]["num_trees"] == "3"


def test_training_rows_without_one_of_the_classes_are_refused(training_rows):
    X, y = training_rows("multiclass")

    with pytest.raises(ModelError, match="11 of 12 classes"):
        family_named("xgboost").fit(
            X, np.minimum(y, 10), {}, task="multiclass", n_classes=12, seed=0, threads=1
        )


RESIDENT = """
import numpy, psutil
from mlops_ray.models.xgboost_training import training_of_rows
rng = numpy.random.default_rng(1)
X = rng.normal(size=(20_000, 28)).astype(numpy.float32)
y = (X[:, 0] + rng.normal(size=20_000) > 0).astype(numpy.int32)
training = training_of_rows(X, y, "binary", 2, 1)
training.grow({"max_depth": 2}, seed=1).to(1)
before, growths = psutil.Process().memory_info().rss, []
for seed in range(4):
    growths.append(training.grow({"max_depth": 8}, seed=seed))
    growths[-1].to(5)
held = psutil.Process().memory_info().rss - before
print(held / sum(growth.held_bytes for growth in growths))
"""


def test_a_live_booster_takes_about_the_memory_that_it_says():
    said = subprocess.run([sys.executable, "-c", RESIDENT], capture_output=True, check=True)

    assert 0.5 < float(said.stdout) < 2
