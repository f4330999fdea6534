"""Each metric of the catalogue is scikit-learn's, and NaN where that one warns or refuses."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from mlops_ray.config.metric_catalogue import METRICS, fitting
from mlops_ray.models.metrics import score

BINARY = {
    "roc_auc": lambda y, p: sk.roc_auc_score(y, p[:, 1]),
    "average_precision": lambda y, p: sk.average_precision_score(y, p[:, 1]),
    "log_loss": lambda y, p: sk.log_loss(y, p[:, 1]),
    "brier": lambda y, p: sk.brier_score_loss(y, p[:, 1]),
    "f1": lambda y, p: sk.f1_score(y, p[:, 1] > p[:, 0]),
    "precision": lambda y, p: sk.precision_score(y, p[:, 1] > p[:, 0]),
    "recall": lambda y, p: sk.recall_score(y, p[:, 1] > p[:, 0]),
    "jaccard": lambda y, p: sk.jaccard_score(y, p[:, 1] > p[:, 0]),
}
CLASSES = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1_macro": lambda y, c: sk.f1_score(y, c, average="macro"),
    "f1_weighted": lambda y, c: sk.f1_score(y, c, average="weighted"),
    "precision_macro": lambda y, c: sk.precision_score(y, c, average="macro"),
    "precision_weighted": lambda y, c: sk.precision_score(y, c, average="weighted"),
    "recall_macro": lambda y, c: sk.recall_score(y, c, average="macro"),
    "recall_weighted": lambda y, c: sk.recall_score(y, c, average="weighted"),
    "jaccard_macro": lambda y, c: sk.jaccard_score(y, c, average="macro"),
    "matthews_corrcoef": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
}
MULTICLASS = {
    "roc_auc": lambda y, p: sk.roc_auc_score(y, p, multi_class="ovr"),
    "roc_auc_ovo": lambda y, p: sk.roc_auc_score(y, p, multi_class="ovo"),
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}
VALUES = {
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "msle": sk.mean_squared_log_error,
    "rmsle": sk.root_mean_squared_log_error,
    "mape": sk.mean_absolute_percentage_error,
    "median_absolute_error": sk.median_absolute_error,
    "max_error": sk.max_error,
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
    "d2_absolute_error": sk.d2_absolute_error_score,
    "mean_poisson_deviance": sk.mean_poisson_deviance,
    "mean_gamma_deviance": sk.mean_gamma_deviance,
}


def classes(n_classes, n_rows=250):
    rng = np.random.default_rng(n_classes)
    y = rng.integers(0, n_classes, n_rows).astype(np.int32)
    p = rng.uniform(0.05, 1.0, (n_rows, n_classes)) + 0.5 * np.eye(n_classes)[y]
    return y, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", fitting("binary"))
def test_of_two_classes_the_second_is_the_positive_one(name):
    y, p = classes(2)

    wanted = BINARY[name](y, p) if name in BINARY else CLASSES[name](y, p.argmax(axis=1))

    assert score(name, y, p) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", fitting("multiclass"))
def test_of_several_classes(name):
    y, p = classes(4)

    wanted = MULTICLASS[name](y, p) if name in MULTICLASS else CLASSES[name](y, p.argmax(axis=1))

    assert score(name, y, p) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", fitting("regression"))
def test_of_values(name):
    rng = np.random.default_rng(1)
    y = rng.gamma(2.0, 3.0, 200) + 0.1
    values = y * rng.uniform(0.6, 1.5, 200)

    assert score(name, y, values) == pytest.approx(VALUES[name](y, values), rel=1e-12)


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("n_rows", [1, 2])
def test_few_rows_of_one_class_give_a_number_or_nan_and_never_a_warning(name, n_rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for task in METRICS[name].tasks:
            if task == "regression":
                found = score(name, np.zeros(n_rows), np.zeros(n_rows))
            else:
                n_classes = 2 if task == "binary" else 3
                p = np.tile(np.eye(n_classes)[0] * 0.7 + 0.1, (n_rows, 1))
                found = score(name, np.zeros(n_rows, dtype=np.int32), p / p.sum(axis=1)[0])
            assert isinstance(found, float)


@pytest.mark.parametrize(
    ("name", "y", "values"),
    [
        ("msle", [1.0, -1.5], [1.0, 1.0]),
        ("rmsle", [1.0, 1.0], [1.0, -1.0]),
        ("mean_poisson_deviance", [-0.1, 1.0], [1.0, 1.0]),
        ("mean_poisson_deviance", [0.0, 1.0], [0.0, 1.0]),
        ("mean_gamma_deviance", [0.0, 1.0], [1.0, 1.0]),
    ],
)
def test_numbers_outside_a_metric_have_no_score(name, y, values):
    assert math.isnan(score(name, np.array(y), np.array(values)))
    assert math.isfinite(score(name, np.array([1.0, 2.0]), np.array([1.5, 2.0])))


def test_a_deviance_of_counts_takes_zero():
    y, values = np.array([0.0, 3.0]), np.array([0.5, 2.0])

    assert score("mean_poisson_deviance", y, values) == sk.mean_poisson_deviance(y, values)
