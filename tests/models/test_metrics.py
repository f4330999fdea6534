"""Metrics against scikit-learn and closed forms, and NaN where a metric is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from mlops_ray.config.model import METRICS
from mlops_ray.errors import ModelError
from mlops_ray.models.metrics import metrics_for, score, score_all


@pytest.fixture
def binary():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200).astype(np.int32)
    p = np.clip(0.3 * y + rng.uniform(0, 0.7, 200), 0.01, 0.99)
    return y, np.stack([1 - p, p], axis=1)


@pytest.fixture
def multiclass():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 4, 300).astype(np.int32)
    raw = rng.uniform(0.1, 1, (300, 4)) + np.eye(4)[y]
    return y, raw / raw.sum(axis=1, keepdims=True)


def test_without_a_declaration_the_standard_metrics_of_the_task_are_reported():
    standard = {name for name, metric in METRICS.items() if metric.is_standard}

    assert metrics_for("multiclass") == ["accuracy", "f1_macro", "log_loss", "roc_auc"]
    assert metrics_for("regression") == ["mae", "r2", "rmse"]
    tasks = ("binary", "multiclass", "regression")
    assert standard == {name for task in tasks for name in metrics_for(task)}


def test_binary_metrics_use_the_probability_of_class_one(binary):
    y, p = binary

    assert score("roc_auc", y, p) == reference.roc_auc_score(y, p[:, 1])
    assert score("average_precision", y, p) == reference.average_precision_score(y, p[:, 1])
    assert score("log_loss", y, p) == pytest.approx(reference.log_loss(y, p[:, 1]), rel=1e-12)


def test_multiclass_roc_auc_is_the_macro_mean_of_one_against_the_rest(multiclass):
    y, p = multiclass

    wanted = reference.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert score("roc_auc", y, p) == pytest.approx(wanted, rel=1e-12)


def test_a_class_absent_from_the_rows_is_left_out_of_the_mean(multiclass):
    y, p = multiclass
    kept = y != 3

    areas = [reference.roc_auc_score(y[kept] == c, p[kept, c]) for c in range(3)]
    assert score("roc_auc", y[kept], p[kept]) == pytest.approx(np.mean(areas), rel=1e-12)
    assert math.isfinite(score("log_loss", y[kept], p[kept]))


def test_log_loss_takes_float32_probabilities_without_a_warning(multiclass):
    y, p = multiclass

    rough = p.astype(np.float32).astype(np.float64)

    assert score("log_loss", y, rough) == pytest.approx(reference.log_loss(y, p), rel=1e-6)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_rows_of_one_class_have_no_ranking(name):
    p = np.array([[0.4, 0.6], [0.7, 0.3]])

    assert math.isnan(score(name, np.array([1, 1], dtype=np.int32), p))


def test_a_prediction_that_is_not_finite_has_no_score():
    assert math.isnan(score("rmse", np.zeros(2), np.array([0.0, np.inf])))


def test_no_rows_have_no_score():
    assert math.isnan(score("rmse", np.zeros(0), np.zeros(0)))


def test_regression_metrics_follow_their_formulas():
    y, values = np.array([0.0, 0.0, 4.0]), np.array([1.0, -1.0, 2.0])

    scores = score_all("regression", y, values)

    assert scores["rmse"] == pytest.approx(math.sqrt(2.0))
    assert scores["mae"] == pytest.approx(4 / 3)
    assert scores["r2"] == pytest.approx(1 - 6 / (32 / 3))


def test_unknown_metric_lists_the_known_ones():
    with pytest.raises(ModelError, match="roc_auc"):
        score("auc", np.zeros(1), np.zeros(1))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match="shapes"):
        score("accuracy", np.zeros(3, dtype=np.int32), np.zeros((2, 2)))
    with pytest.raises(ModelError, match="shapes"):
        score("rmse", np.zeros(2), np.zeros((2, 2)))
