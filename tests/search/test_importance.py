"""Parameter importance, held against closed forms and Optuna's fANOVA."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import optuna
import pytest

from mlops_ray.search.importance import parameter_importance
from mlops_ray.search.trial import TrialRecord


def _records(params, values):
    return [
        TrialRecord(i, drawn, str(i), "finished", float(value))
        for i, (drawn, value) in enumerate(zip(params, values, strict=True))
    ]


def _share(a, b):
    """Of x in ``a x + b z``, normal: shuffling leaves a correlation of ranks that is known.

    Source: W. Kruskal, "Ordinal measures of association" (1958): 6 / pi * asin(rho / 2).
    """
    left = [6 / math.pi * math.asin(rest / (a * a + b * b) / 2) for rest in (b * b, a * a)]
    drops = [1 - value for value in left]
    return drops[0] / sum(drops)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.0, 1.0), (1.0, 0.0)])
def test_shares_of_a_sum_of_normal_parameters_are_those_of_the_closed_form(a, b):
    x, z, noise = np.random.default_rng(3).normal(size=(3, 1500))
    params = [{"x": x, "z": z, "noise": n} for x, z, n in zip(x, z, noise, strict=True)]

    found = parameter_importance(_records(params, a * x + b * z))

    assert found.shares["x"] == pytest.approx(_share(a, b), abs=0.05)
    assert found.shares["noise"] < 0.02
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.explained > 0.9


def test_the_order_is_that_of_optunas_fanova():
    rng = np.random.default_rng(8)
    drawn = [
        {"rate": float(10 ** rng.uniform(-3, 0)), "depth": int(rng.integers(2, 10)), "kind": kind}
        for kind in rng.choice(["a", "b", "c"], size=200)
    ]
    values = [
        -abs(math.log10(d["rate"]) + 1) * 2 + 0.1 * d["depth"] - 0.4 * (d["kind"] == "b")
        for d in drawn
    ]
    study = optuna.create_study(direction="maximize")
    distributions = {
        "rate": optuna.distributions.FloatDistribution(1e-3, 1.0, log=True),
        "depth": optuna.distributions.IntDistribution(2, 9),
        "kind": optuna.distributions.CategoricalDistribution(["a", "b", "c"]),
    }
    for params, value in zip(drawn, values, strict=True):
        params["kind"] = str(params["kind"])
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)

    found = parameter_importance(_records(drawn, values))

    assert list(found.shares) == list(theirs)


def test_a_trial_that_diverged_outweighs_nothing_and_equal_tables_give_equal_shares():
    x, z = np.random.default_rng(5).normal(size=(2, 300))
    params = [{"x": x, "z": z} for x, z in zip(x, z, strict=True)]
    values = x.copy()
    records = _records(params, values)
    values[np.argmax(x)] = 1e300

    found = parameter_importance(_records(params, values))

    assert found == parameter_importance(records)  # The same ranks.
    assert found.shares["x"] > 0.95


def test_a_halved_search_is_judged_at_the_rung_of_most_trials():
    x = np.random.default_rng(6).normal(size=60)
    records = [
        TrialRecord(i, {"x": v}, str(i), "pruned", rungs=((10, float(v)),)) for i, v in enumerate(x)
    ]
    whole = replace(records[0], status="finished", value=9.0, rungs=(*records[0].rungs, (30, 9.0)))
    failed = replace(records[1], status="failed", rungs=((10, None),))

    found = parameter_importance([whole, failed, *records[2:]])

    assert (found.rung, found.rung_in_words, found.n_trials) == (10, "10 rounds", 59)
    assert found.shares == {"x": 1.0}


def test_importance_at_a_share_of_the_rows_says_so():
    x = np.random.default_rng(6).normal(size=60)
    records = [
        TrialRecord(i, {"x": v}, str(i), "pruned", rungs=((1 / 9, float(v)),), by="data_share")
        for i, v in enumerate(x)
    ]

    found = parameter_importance(records)

    assert found.rung_in_words == "11.1 % of the rows"
    assert (found.to_json()["share"], "rounds" in found.to_json()) == (1 / 9, False)
    assert parameter_importance(_records([{"x": v} for v in x], x)).to_json()["rounds"] is None


def test_a_parameter_that_has_no_part_in_a_trial_is_a_value_of_its_own():
    rng = np.random.default_rng(7)
    with_x = [{"kind": "b", "x": float(x)} for x in rng.uniform(size=40)]
    params = [*with_x, *[{"kind": "a"}] * 40]
    values = [drawn.get("x", 5.0) for drawn in params]

    found = parameter_importance(_records(params, values))

    assert set(found.shares) == {"kind", "x"}
    assert found.explained > 0.9


@pytest.mark.parametrize(
    "records",
    [
        _records([{"x": float(i)} for i in range(9)], range(9)),
        _records([{"x": float(i)} for i in range(20)], [1.0] * 20),
        _records([{"x": 1.0}] * 20, range(20)),
        [TrialRecord(i, {"x": i}, "1", "failed") for i in range(20)],
        [],
    ],
    ids=["too few", "no difference", "one value", "no value", "nothing"],
)
def test_what_cannot_be_compared_has_no_shares(records):
    assert parameter_importance(records) is None
