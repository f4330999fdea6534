"""Outputs: names, labels and the numbers behind them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.outputs import Outputs
from mlops_ray.models.signature import Signature

CLASSES = Signature("multiclass", (), ("a", "b", "c"), "xgboost", "xgboost_ubj")
VALUES = Signature("regression", (), (), "xgboost", "xgboost_ubj")


def test_label_is_the_most_probable_class_and_of_equals_the_first():
    outputs = Outputs.of(CLASSES, np.array([[0.2, 0.5, 0.3], [0.2, 0.4, 0.4]]))

    assert outputs.label == ["b", "b"]


def test_a_regression_has_values_only():
    assert Outputs.of(VALUES, np.array([1.5, 2.0])).to_json() == {"value": [1.5, 2.0]}


def test_json_text_keeps_every_bit():
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 50)

    read = json.loads(json.dumps(Outputs.of(CLASSES, probabilities).to_json()))

    assert np.array(read["probability"]).tobytes() == probabilities.tobytes()
    assert list(read) == ["label", "probability"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_refused_by_row(bad):
    with pytest.raises(ModelError, match="row 1"):
        Outputs.of(VALUES, np.array([0.0, bad]))


@pytest.mark.parametrize("shape", [(2,), (2, 2), (2, 3, 1)])
def test_a_shape_off_the_signature_is_refused(shape):
    with pytest.raises(ModelError, match="3 probabilities a row"):
        Outputs.of(CLASSES, np.zeros(shape))


def test_numbers_are_a_matrix_for_both_kinds():
    assert Outputs.of(VALUES, np.zeros(4)).numbers.shape == (4, 1)
    assert Outputs.of(CLASSES, np.zeros((0, 3))).numbers.shape == (0, 3)
