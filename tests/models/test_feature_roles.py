"""Features by name, in the order of the matrix of the fitted state."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_ray.config.estimator import ModelConfig
from mlops_ray.errors import ModelError
from mlops_ray.features import FeatureState
from mlops_ray.features.fitted import Feature, FittedStep
from mlops_ray.models.feature_roles import guidance_of
from mlops_ray.models.guidance import NO_GUIDANCE


@pytest.fixture(scope="module")
def state(people_state):
    """Outputs age, city=Bern, city=Zürich, rooms, owner, trade; the last are codes of 3 trades."""
    fitted = {"categories": ["cook", "smith", "tailor"], "unseen": -1.0, "null": None}
    step = FittedStep("ordinal", (fitted,))
    return FeatureState(
        (*people_state.features, Feature(("trade",), ("string",), "category", (step,)))
    )


def told(state, weights=None, **declared):
    model = ModelConfig.model_validate({"family": "xgboost", **declared})
    return guidance_of(model, state, weights)


def test_nothing_is_told_where_nothing_is_declared(state):
    assert told(state) == NO_GUIDANCE


@pytest.mark.parametrize(
    ("monotone", "wanted"),
    [
        ({"rooms": "increasing"}, (0, 0, 0, 1, 0, 0)),
        ({"city=Zürich": "decreasing", "age": "increasing"}, (1, 0, -1, 0, 0, 0)),
        ({"city": "decreasing"}, (0, -1, -1, 0, 0, 0)),
    ],
)
def test_a_column_stands_for_all_outputs_that_are_made_of_it(state, monotone, wanted):
    assert state.outputs == ("age", "city=Bern", "city=Zürich", "rooms", "owner", "trade")
    assert told(state, monotone=monotone).monotone == wanted


def test_groups_and_categories_go_by_place(state):
    found = told(state, interactions=[["trade", "city"], ["age", "age"]], categories=["trade"])

    assert found.interactions == ((1, 2, 5), (0,))
    assert found.categories == (0, 0, 0, 0, 0, 3)
    assert found.aspects == {"interactions", "categories"}


def test_weights_and_device_are_handed_on(state):
    weights = np.ones(3)

    found = told(state, weights, device="cuda")

    assert found.weights is weights
    assert found.aspects == {"weight", "device"}


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"monotone": {"city=Genf": "increasing"}}, "no feature has the name 'city=Genf'"),
        ({"interactions": [["rums"]]}, "did you mean 'rooms'"),
        ({"categories": ["city"]}, "only where 'ordinal' is its last step: wanted trade"),
    ],
)
def test_names_that_the_fitted_features_do_not_have_are_refused(state, declared, says):
    with pytest.raises(ModelError, match=says):
        told(state, **declared)
