"""Parameters: names, ranges, defaults, and the way out where one is wrong."""

from __future__ import annotations

import pytest

from mlops_ray.errors import ModelError
from mlops_ray.models.families import FAMILIES, family_named


def test_a_misspelt_name_gets_the_nearest():
    (problem,) = family_named("xgboost").check_params({"max_dept": 3}, "binary")

    assert problem == "xgboost has no parameter 'max_dept'; did you mean 'max_depth'?"


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("nthread", "model.threads"),
        ("random_state", "'seed'"),
        ("objective", "data.task"),
        ("eta", "learning_rate"),
    ],
)
def test_names_that_are_set_elsewhere_say_where(name, way_out):
    (problem,) = family_named("xgboost").check_params({name: 1}, "binary")

    assert way_out in problem


def test_a_renamed_parameter_is_only_advised_where_it_exists():
    (problem,) = family_named("linear").check_params({"lambda": 1.0}, "regression")

    assert "reg_lambda" not in problem
    assert "alpha" in problem


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"max_depth": 3.0}, "an integer from 0 to 64"),
        ({"max_depth": True}, "an integer from 0 to 64"),
        ({"subsample": 0}, "a number above 0 to 1"),
        ({"subsample": float("nan")}, "a number above 0 to 1"),
        ({"reg_lambda": "1"}, "a number from 0"),
        ({"tree_method": "gpu_hist"}, "one of 'hist'"),
    ],
)
def test_a_value_out_of_range_says_the_range(params, wanted):
    (problem,) = family_named("xgboost").check_params(params, "binary")

    assert wanted in problem


def test_zero_is_not_false():
    (problem,) = family_named("linear").check_params({"fit_intercept": 0}, "binary")

    assert "one of False, True" in problem


def test_a_parameter_of_another_task_is_unknown():
    assert family_named("linear").check_params({"C": 1.0}, "regression")
    assert not family_named("linear").check_params({"C": 1.0})


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_defaults_are_allowed_values_and_resolving_twice_changes_nothing(name, task):
    resolved = family_named(name).resolve_params({}, task)

    assert not family_named(name).check_params(resolved, task)
    assert family_named(name).resolve_params(resolved, task) == resolved
    assert list(resolved) == sorted(resolved)


def test_whole_numbers_for_a_real_parameter_become_floats():
    resolved = family_named("xgboost").resolve_params({"learning_rate": 1}, "binary")

    assert repr(resolved["learning_rate"]) == "1.0"


def test_resolving_a_mistake_raises_it():
    with pytest.raises(ModelError, match="max_dept"):
        family_named("xgboost").resolve_params({"max_dept": 3}, "binary")


def test_an_unknown_family_gets_the_nearest():
    with pytest.raises(ModelError, match="did you mean 'xgboost'"):
        family_named("xgbost")
