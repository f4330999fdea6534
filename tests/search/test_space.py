"""Drawing: each trial from its own generator, inside its bounds, evenly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlops_ray.config.search_space import Dimension
from mlops_ray.models.families import family_named
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.space import check_space


def draw(space, n_trials, seed):
    return RandomSearcher(space, seed).ask(0, n_trials)


def _space(**dimensions):
    return {name: Dimension.model_validate(value) for name, value in dimensions.items()}


MIXED = _space(
    max_depth={"int": [3, 9]},
    subsample={"uniform": [0.6, 1.0]},
    learning_rate={"log_uniform": [0.01, 0.3]},
    grow_policy={"choice": ["depthwise", "lossguide"]},
)


def test_more_trials_do_not_change_earlier_ones():
    assert draw(MIXED, 50, seed=7)[:20] == draw(MIXED, 20, seed=7)


def test_bits_of_draws_stay():
    # Written down before there were other searchers: recorded runs draw these for ever.
    assert draw(MIXED, 1, seed=7) == [
        {
            "grow_policy": "lossguide",
            "learning_rate": 0.19335901040760498,
            "max_depth": 5,
            "subsample": 0.7031336744754895,
        }
    ]


def test_order_of_declaration_has_no_part():
    assert draw(dict(reversed(MIXED.items())), 20, seed=7) == draw(MIXED, 20, seed=7)


def test_another_seed_draws_others():
    assert draw(MIXED, 5, seed=8) != draw(MIXED, 5, seed=7)


def test_no_two_trials_are_the_same():
    drawn = [tuple(params.items()) for params in draw(MIXED, 500, seed=7)]

    assert len(set(drawn)) == 500


def test_values_are_plain_python_inside_their_bounds():
    for params in draw(MIXED, 500, seed=1):
        assert list(params) == sorted(MIXED)
        assert type(params["max_depth"]) is int
        assert 3 <= params["max_depth"] <= 9
        assert type(params["subsample"]) is float
        assert 0.6 <= params["subsample"] <= 1.0
        assert 0.01 <= params["learning_rate"] <= 0.3
        assert params["grow_policy"] in {"depthwise", "lossguide"}


def test_both_ends_of_an_integer_range_are_drawn():
    assert {params["n"] for params in draw(_space(n={"int": [1, 3]}), 60, seed=0)} == {1, 2, 3}


def test_a_range_of_one_value_gives_it():
    space = _space(a={"uniform": [0.3, 0.3]}, b={"log_uniform": [0.3, 0.3]}, c={"int": [4, 4]})

    assert draw(space, 1, seed=0) == [{"a": 0.3, "b": 0.3, "c": 4}]


@pytest.mark.parametrize(
    ("name", "to_unit"),
    [
        ("subsample", lambda v: (v - 0.6) / 0.4),
        ("learning_rate", lambda v: np.log(v / 0.01) / np.log(30)),
    ],
)
def test_draws_are_even_over_their_range(name, to_unit):
    values = np.array([params[name] for params in draw(MIXED, 2000, seed=3)])

    assert stats.kstest(to_unit(values), "uniform").pvalue > 0.001


def test_generations_of_any_size_draw_the_same_trials():
    searcher = RandomSearcher(MIXED, seed=7)

    assert [*searcher.ask(0, 3), *searcher.ask(3, 7)] == draw(MIXED, 10, seed=7)


def test_bounds_that_a_family_does_not_allow_are_listed_once():
    space = _space(
        max_dept={"int": [3, 9]}, subsample={"uniform": [0.6, 1.5]}, max_depth={"int": [3, 9]}
    )

    problems = check_space(family_named("xgboost"), space, "binary")

    assert len(problems) == 2
    assert "max_depth" in problems[0]
    assert "got 1.5" in problems[1]


@pytest.mark.parametrize("values", [{"uniform": [2, 8]}, {"log_uniform": [2, 8]}])
def test_a_range_that_draws_real_numbers_is_refused_for_a_whole_one(values):
    problems = check_space(family_named("xgboost"), _space(max_leaves=values), "binary")

    assert ["'int' whole ones" in problem for problem in problems] == [True, True]
    assert check_space(family_named("xgboost"), _space(gamma=values), "binary") == []
    assert check_space(family_named("xgboost"), _space(max_leaves={"int": [2, 8]}), "binary") == []
