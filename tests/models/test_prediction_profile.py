import numpy as np
import pytest

from mlops_ray.models.outputs import Outputs
from mlops_ray.models.prediction_profile import prediction_profile


def test_labels_and_each_probability_have_their_statistics():
    shares = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    outputs = Outputs(["yes", "no", "no"], shares, None)

    columns = prediction_profile(outputs, ["no", "yes"]).columns

    assert dict(columns["label"].counts.counts) == {"no": 2, "yes": 1}
    assert columns["probability.no"].sums.mean == pytest.approx(1.75 / 3)
    assert columns["probability.yes"].maximum == 0.75


@pytest.mark.parametrize("labels", [[0, 1, 1], [True, False, True]])
def test_labels_of_any_type_are_counted(labels):
    shares = np.full((3, 2), 0.5)

    columns = prediction_profile(Outputs(labels, shares, None), sorted(set(labels))).columns

    assert sum(columns["label"].counts.rows) == 3
    assert len(columns) == 3


def test_values_of_a_regression():
    outputs = Outputs(None, None, np.array([1.0, 2.0, 6.0]))

    profile = prediction_profile(outputs, [])

    assert profile.columns["value"].sums.mean == 3.0
    assert list(profile.columns) == ["value"]
