"""Searchers: what they draw depends on space, seed and what they are told, on nothing else."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy.stats import qmc

from mlops_ray.config.search_space import Dimension
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.searchers.grid import GridSearcher
from mlops_ray.search.searchers.optuna import OptunaSearcher
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.searchers.sobol import SobolSearcher
from mlops_ray.search.trial import TrialRecord, trial_table


def _space(**dimensions):
    return {name: Dimension.model_validate(value) for name, value in dimensions.items()}


SPACE = _space(
    depth={"int": [1, 9]},
    even={"int": [2, 10], "step": 2},
    rate={"log_uniform": [0.001, 1.0]},
    share={"uniform": [0.0, 1.0]},
    tenth={"uniform": [0.1, 0.9], "step": 0.1},
    kind={"choice": ["a", "b", None]},
    leaves={"int": [2, 40], "when": {"kind": "a"}},
    twigs={"int": [1, 3], "when": {"kind": ["a", "b"]}},
)
NUMBERS = _space(x={"uniform": [0.0, 1.0]}, y={"uniform": [0.0, 1.0]})


def searcher_of(name, space=SPACE, seed=5, n_trials=64):
    if name == "random":
        return RandomSearcher(space, seed)
    if name == "sobol":
        return SobolSearcher(space, n_trials, seed)
    return OptunaSearcher(space, seed, "max", name)


def _value(params):
    return -((params.get("share", 0.0) - 0.3) ** 2) - abs(np.log10(params.get("rate", 0.1)) + 2)


def _record(step):
    if step.index % 7 == 3:
        return TrialRecord(step.index, dict(step.params), str(step.seed), "failed", error="E")
    value = float(_value(step.params))
    return TrialRecord(step.index, dict(step.params), str(step.seed), "finished", value)


def run(searcher, n_trials=40, generation=8, shuffle=None):
    agenda = Agenda(searcher, n_trials, generation, seed=1)
    waiting = []
    while not agenda.is_done:
        waiting += agenda.ready()
        if shuffle is not None:
            shuffle(waiting)
        agenda.tell(_record(waiting.pop(0)))
    return trial_table(agenda.records)


ALL = ["random", "sobol", "tpe", "cma_es"]


@pytest.mark.parametrize("name", ALL)
def test_equal_seeds_draw_equal_trials_in_whatever_order_they_end(name):
    first = run(searcher_of(name))

    for seed in range(3):
        shuffle = np.random.default_rng(seed).shuffle
        assert run(searcher_of(name), shuffle=shuffle) == first
    assert run(searcher_of(name, seed=6)) != first


@pytest.mark.parametrize("name", ALL)
def test_values_are_plain_python_of_the_space_and_conditions_hold(name):
    agenda = Agenda(searcher_of(name), 60, 10, seed=1)
    seen = []
    while not agenda.is_done:
        for step in agenda.ready():
            seen.append(step.params)
            agenda.tell(_record(step))

    for params in seen:
        assert list(params) == sorted(params)
        assert type(params["depth"]) is int
        assert 1 <= params["depth"] <= 9
        assert params["even"] in {2, 4, 6, 8, 10}
        assert type(params["rate"]) is float
        assert 0.001 <= params["rate"] <= 1.0
        assert params["tenth"] in {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
        assert ("leaves" in params) == (params["kind"] == "a")
        assert ("twigs" in params) == (params["kind"] is not None)
    assert {params["kind"] for params in seen} == {"a", "b", None}


def test_a_generation_that_learns_depends_on_its_size_and_on_what_is_told():
    assert run(searcher_of("tpe"), generation=4) != run(searcher_of("tpe"), generation=8)


@pytest.mark.parametrize("name", ["tpe", "cma_es"])
def test_optuna_comes_closer_than_chance(name):
    def best_of(searcher_name, seed):
        agenda = Agenda(searcher_of(searcher_name, NUMBERS, seed), 80, 4, seed=1)
        best = -np.inf
        while not agenda.is_done:
            for step in agenda.ready():
                value = -((step.params["x"] - 0.8) ** 2) - (step.params["y"] - 0.1) ** 2
                best = max(best, value)
                agenda.tell(TrialRecord(step.index, dict(step.params), "0", "finished", value))
        return best

    ours = [best_of(name, seed) for seed in range(5)]
    chance = [best_of("random", seed) for seed in range(5)]

    assert np.median(ours) > np.median(chance)


def test_sobol_points_are_those_of_scipy_and_more_change_none():
    few = SobolSearcher(NUMBERS, 5, 5).ask(0, 5)
    many = SobolSearcher(NUMBERS, 100, 5)

    assert many.ask(0, 3) + many.ask(3, 2) == few
    points = np.array([[p["x"], p["y"]] for p in SobolSearcher(NUMBERS, 64, 5).ask(0, 64)])
    chance = np.array([[p["x"], p["y"]] for p in RandomSearcher(NUMBERS, 5).ask(0, 64)])
    assert qmc.discrepancy(points) < qmc.discrepancy(chance) / 3


def test_a_grid_is_the_product_of_its_levels_less_what_conditions_make_equal():
    space = _space(
        a={"choice": ["x", "y"]},
        b={"int": [1, 3]},
        c={"uniform": [0.0, 0.2], "step": 0.1, "when": {"a": "x"}},
    )

    points = GridSearcher(space).ask(0, 100)

    with_c = [{"a": "x", "b": b, "c": c} for b, c in itertools.product([1, 2, 3], [0.0, 0.1, 0.2])]
    assert points == with_c + [{"a": "y", "b": b} for b in (1, 2, 3)]


def test_earlier_records_move_tpe_and_foreign_ones_are_left_out():
    def told(records):
        searcher = OptunaSearcher(NUMBERS, 5, "max", "tpe")
        searcher.tell(records)
        return searcher.ask(0, 3)

    def earlier(params, value=1.0):
        return [TrialRecord(i, params(i), "0", "finished", value - i) for i in range(20)]

    warm = told(earlier(lambda i: {"x": 0.01 * i, "y": 0.5}))

    assert warm != told([])
    assert told(earlier(lambda i: {"x": 5.0 + i, "y": 0.5})) == told([])
    assert told(earlier(lambda i: {"x": 0.01 * i, "y": 0.5, "z": 1})) == told([])


def test_pruned_trials_move_tpe_by_what_they_came_to():
    def told(sign):
        searcher = OptunaSearcher(NUMBERS, 5, "max", "tpe")
        drawn = searcher.ask(0, 12)
        searcher.tell(
            [
                TrialRecord(i, params, "0", "pruned", rungs=((3, sign * params["x"]),))
                for i, params in enumerate(drawn)
            ]
        )
        return searcher.ask(12, 3)

    assert told(1.0) == told(1.0)
    assert told(1.0) != told(-1.0)


def test_optuna_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(searcher_of("tpe"), n_trials=16)
        run(searcher_of("cma_es", NUMBERS), n_trials=16)
