"""Search spaces: steps, conditions, grids, and those that cannot be searched."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mlops_ray.config.search import SearchConfig
from mlops_ray.config.search_consistency import search_contradictions
from mlops_ray.config.search_space import Dimension
from mlops_ray.config.space_points import active, grid, in_order
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical


def _space(**dimensions):
    return {name: Dimension.model_validate(value) for name, value in dimensions.items()}


def _search(**options):
    return SearchConfig.model_validate(options)


def _mistakes(**options):
    found = list(search_contradictions(_search(**options)))
    return [(".".join(map(str, path)), what, hint) for path, what, hint in found]


TREE = {
    "kind": {"choice": ["forest", "line"]},
    "depth": {"int": [1, 3], "when": {"kind": "forest"}},
    "leaf": {"choice": [1, 2], "when": {"depth_kind": "deep"}},
    "depth_kind": {"choice": ["flat", "deep"], "when": {"kind": ["forest"]}},
}


@pytest.mark.parametrize(
    ("declared", "levels"),
    [
        ({"int": [1, 7], "step": 2}, [1, 3, 5, 7]),
        ({"int": [1, 8], "step": 3}, [1, 4, 7]),
        ({"uniform": [0.1, 0.5], "step": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"uniform": [0, 1], "step": 0.3}, [0.0, 0.3, 0.6, 0.9]),
        ({"choice": [None, "a", 2]}, [None, "a", 2]),
        ({"int": [4, 4]}, [4]),
    ],
)
def test_levels_are_exact_decimals(declared, levels):
    dimension = Dimension.model_validate(declared)

    found = [dimension.level(k) for k in range(dimension.n_levels)]

    assert found == levels
    assert [type(v) for v in found] == [type(v) for v in levels]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"log_uniform": [0.1, 1], "step": 0.1}, "a step is for int and uniform"),
        ({"choice": [1, 2], "step": 1}, "a step is for int and uniform"),
        ({"int": [1, 5], "step": 0.5}, "whole number"),
        ({"uniform": [0.0, 1.0], "step": 0}, "not above 0"),
        ({"uniform": [0.0, 1.0], "step": 2.0}, "at most high - low"),
    ],
)
def test_steps_that_make_no_levels_are_refused(declared, message):
    with pytest.raises(ValidationError, match=message):
        Dimension.model_validate(declared)


def test_a_space_without_steps_and_conditions_is_written_as_before():
    plain = Dimension.model_validate({"int": [3, 9]})

    assert plain.model_dump(mode="json") == {"kind": "int", "values": [3, 9]}
    assert "warm_start" not in _search().model_dump(mode="json")


def test_a_parameter_has_a_part_where_all_that_it_hangs_on_has():
    drawn = {"kind": "forest", "depth": 2, "leaf": 1, "depth_kind": "deep"}
    space = _space(**TREE)

    assert active(space, drawn) == dict(sorted(drawn.items()))
    assert active(space, {**drawn, "depth_kind": "flat"}) == {
        "depth": 2, "depth_kind": "flat", "kind": "forest",
    }  # fmt: skip
    assert active(space, {**drawn, "kind": "line"}) == {"kind": "line"}
    assert in_order(space).index("depth_kind") < in_order(space).index("leaf")


def test_a_grid_has_every_point_once():
    points = grid(_space(**TREE))

    assert len(points) == 3 * (1 + 2) + 1  # Depths, by flat or deep with two leaves; and the line.
    assert len({repr(point) for point in points}) == len(points)


@pytest.mark.parametrize(
    ("condition", "what", "hint"),
    [
        ({"knd": "forest"}, "'knd' is no dimension", "kind"),
        ({"kind": "tree"}, "['tree'] is no value of 'kind'", "'forest', 'line'"),
        ({"kind": []}, "[] is no value of 'kind'", "'forest', 'line'"),
        ({"rate": 0.1}, "'rate' is no choice", "make it one"),
    ],
)
def test_conditions_that_nothing_can_meet_are_refused_with_their_place(condition, what, hint):
    space = {
        "kind": {"choice": ["forest", "line"]},
        "rate": {"uniform": [0.0, 1.0]},
        "depth": {"int": [1, 3], "when": condition},
    }

    ((place, got, way_out),) = _mistakes(space=space, trials=3)

    assert place == "search.space.depth.when"
    assert what in got
    assert hint in way_out


def test_conditions_that_go_round_are_refused():
    space = {
        "a": {"choice": [1, 2], "when": {"b": 1}},
        "b": {"choice": [1, 2], "when": {"a": 1}},
    }

    ((place, what, _),) = _mistakes(space=space, trials=3)

    assert place.startswith("search.space.")
    assert what.startswith("conditions go round")


@pytest.mark.parametrize(
    ("options", "place", "what"),
    [
        (
            {"space": {"x": {"uniform": [0.0, 1.0]}}, "searcher": "grid", "trials": 5},
            "search.searcher",
            "x has no end of values",
        ),
        (
            {"space": {"x": {"int": [1, 4]}}, "searcher": "grid", "trials": 5},
            "search.trials",
            "the grid has 4 points, and 5 trials are declared",
        ),
        (
            {
                "space": {"x": {"int": [1, 10**6]}},
                "searcher": "grid",
                "trials": 5,
            },
            "search.searcher",
            "1000000 points are more than 100000",
        ),
        (
            {
                "space": {"x": {"int": [1, 4]}},
                "searcher": "sobol",
                "trials": 4,
                "warm_start": f"sha256:{'a' * 64}",
            },
            "search.warm_start",
            "'sobol' learns from no result",
        ),
        (
            {"patience": {"rounds": 5}},
            "search.patience.rounds",
            "patience of 5 rounds ends before the next look, 10 on",
        ),
    ],
)
def test_impossible_searches_are_refused_with_place_and_way_out(options, place, what):
    ((found, got, hint),) = _mistakes(**options)

    assert found == place
    assert what in got
    assert hint


@pytest.mark.parametrize("options", [{"budget_s": 0}, {"patience": {}}, {"budget_s": -1.0}])
def test_a_budget_of_nothing_and_patience_without_rounds_are_refused(options):
    with pytest.raises(ValidationError):
        _search(**options)


def test_what_is_not_declared_leaves_specs_as_they_were():
    assert {"budget_s", "patience", "timeout_s"}.isdisjoint(_search().model_dump(mode="json"))


def test_a_searcher_that_nobody_knows_is_refused():
    with pytest.raises(ValidationError, match="unknown searcher 'tpee'; known: random, grid"):
        _search(searcher="tpee")
    assert _search(searcher="my_project.draw:Mine").searcher_module == "my_project.draw"


@pytest.mark.parametrize(
    "declared",
    [
        {"uniform": [0, 2**60]},
        {"log_uniform": [1, 1e18]},
        {"choice": [1e18, 2**53, 0.5, "a", None]},
        {"int": [1 - 2**53, 2**53 - 1]},
        {"uniform": [0, 1e18], "step": 1e16},
    ],
)
def test_a_spec_gives_back_large_numbers_as_they_were(declared):
    dimension = Dimension.model_validate(declared)
    read = Dimension.model_validate(from_canonical(canonical_bytes(dimension.model_dump())))

    assert repr(read.values) == repr(dimension.values)
    assert read == dimension
