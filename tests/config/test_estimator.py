"""What may be said of the model; and nothing new is written where nothing new is said."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mlops_ray.config.estimator import ModelConfig, ThresholdConfig


def test_a_model_that_says_nothing_new_is_written_as_before():
    written = ModelConfig(family="linear").model_dump(mode="json")

    assert written == {"family": "linear", "params": {}, "threads": 1}


@pytest.mark.parametrize("family", ["xgboost", "models.centroids:Centroids", "mine:Family"])
def test_families_of_ours_and_of_the_project_are_taken(family):
    assert ModelConfig(family=family).own_class == (family if ":" in family else None)


@pytest.mark.parametrize(
    ("family", "says"),
    [
        ("xgbost", "did you mean 'xgboost'"),
        ("sklearn:GaussianNB", "unknown family"),
        ("mine:", "unknown family"),
        ("a b:C", "unknown family"),
    ],
)
def test_others_are_refused(family, says):
    with pytest.raises(ValidationError, match=says):
        ModelConfig(family=family)


@pytest.mark.parametrize(
    "costs",
    [
        {"false_positive": 0.0, "false_negative": 1.0},
        {"false_positive": 1.0, "false_negative": 2.0, "true_positive": 2.0},
        {"false_positive": 1.0, "false_negative": 2.0, "true_negative": 1.5},
    ],
)
def test_a_mistake_has_to_cost_more_than_the_right_answer(costs):
    ThresholdConfig(**{**costs, "false_positive": 3.0, "false_negative": 4.0})

    with pytest.raises(ValidationError, match="must cost more than"):
        ThresholdConfig(**costs)
