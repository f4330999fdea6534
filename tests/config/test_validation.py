"""Folds, metrics and rules of choice that cannot be meant, each with its place and its way out."""

from __future__ import annotations

import json

import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.config.metric_catalogue import METRICS
from mlops_ray.config.model import EvaluationConfig, PipelineConfig, ValidationConfig
from mlops_ray.errors import InvalidConfigError

OWN = {"function": "costs:saving", "version": 1, "direction": "max", "needs": "labels"}
SE = {"within_standard_errors": 1.0}


def config(**changes):
    base = {
        "version": 1,
        "name": "churn",
        "objective": {"metric": "roc_auc"},
        "data": {"source": "d", "task": "binary", "target": "left", "key": ["id"], "time": "day"},
        "split": {"test": {"share": 0.2}},
        "features": [{"columns": ["age"]}],
        "model": {"family": "xgboost"},
        "search": {"space": {"max_depth": {"int": [2, 5]}}, "trials": 4},
        "validation": {"scheme": "k_fold"},
    }
    for key, value in changes.items():
        at, parts = base, key.split("__")
        for part in parts[:-1]:
            at = at[part]
        at[parts[-1]] = value
    return base


@pytest.fixture
def problems(tmp_path):
    def found(**changes):
        path = tmp_path / "p.yaml"
        path.write_text(json.dumps(config(**changes)))
        try:
            load_config(path)
        except InvalidConfigError as error:
            return {p.where.key: (p.what, p.hint) for p in error.problems}
        return {}

    return found


GROUPED, TIMELY = {"scheme": "grouped"}, {"scheme": "time_series"}
SELECTION = "search__selection"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"validation": {"scheme": "k_fold", "folds": 10, "repeats": 3}},
        {"validation": {**GROUPED, "group": "customer"}},
        {"validation": GROUPED, "split__group": "customer"},
        {"validation": TIMELY},
        {"split__stratify": True},
        {"model__ensemble": {"top": 2}},
        {"evaluation": {"metrics": ["brier", "f1"], "functions": [OWN], "bootstrap": {}}},
        {
            "objective": {"metric": "costs:saving", "direction": "max"},
            "evaluation": {"functions": [OWN]},
        },
        {SELECTION: {**SE, "tie_break": [{"lowest": "max_depth"}, {"metric": "brier"}]}},
    ],
)
def test_what_is_meant_is_taken(problems, changes):
    assert problems(**changes) == {}


@pytest.mark.parametrize(
    ("changes", "key", "what", "hint"),
    [
        ({"split__valid": {"share": 0.2}}, "split.valid", "folds are dealt to all", "leave it out"),
        ({"validation": {}}, "split", "no rows are left to validate on", "k_fold"),
        (
            {"data__key": [], "split__test": {"time_from": 3}},
            "validation.scheme",
            "no key is declared",
            "data.key",
        ),
        ({"split__group": "g"}, "validation.scheme", "would part the groups", "grouped"),
        ({"validation": GROUPED}, "validation.scheme", "no group", "validation.group"),
        (
            {"validation": {**GROUPED, "group": "a"}, "split__group": "b"},
            "validation.group",
            "other groups",
            "leave it out",
        ),
        ({"validation": TIMELY, "data__time": None}, "validation.scheme", "no time", "data.time"),
        ({"validation": TIMELY, "split__group": "g"}, "validation.scheme", "parted", "grouped"),
        ({"evaluation": {"metrics": ["rmse"]}}, "evaluation.metrics.0", "fit task", "roc_auc"),
        (
            {"evaluation": {"metrics": ["f1", "f1"]}},
            "evaluation.metrics.1",
            "twice",
            "list it once",
        ),
        ({"evaluation": {"metrics": ["costs:s"]}}, "evaluation.metrics.0", "not declared", "add"),
        (
            {"evaluation": {"functions": [{**OWN, "needs": "values"}]}},
            "evaluation.functions.0.needs",
            "predicts no values",
            "labels or probabilities",
        ),
        (
            {"evaluation": {"functions": [OWN, OWN]}},
            "evaluation.functions.1.function",
            "twice",
            "once",
        ),
        (
            {
                "objective": {"metric": "costs:saving", "direction": "min"},
                "evaluation": {"functions": [OWN]},
            },
            "objective.direction",
            "towards 'max'",
            "same in both",
        ),
        (
            {
                "gates": [{"metric": "costs:saving", "at_most": 1}],
                "evaluation": {"functions": [OWN]},
            },
            "gates.0",
            "towards 'max'",
            "at_least",
        ),
        (
            {
                "model__ensemble": {"top": 2},
                SELECTION: {"tie_break": [{"lowest": "max_depth"}]},
            },
            "search.selection",
            "takes the best trials",
            "leave one",
        ),
        (
            {SELECTION: {"tie_break": [{"lowest": "eta"}]}},
            "search.selection.tie_break.0",
            "not in the search space",
            "search.space",
        ),
        (
            {
                SELECTION: {"tie_break": [{"lowest": "grow_policy"}]},
                "search__space": {"grow_policy": {"choice": ["depthwise", "lossguide"]}},
            },
            "search.selection.tie_break.0",
            "no order",
            "numbers",
        ),
        (
            {SELECTION: {"tie_break": [{"metric": "rmse"}]}},
            "search.selection.tie_break.0.metric",
            "fit task",
            "roc_auc",
        ),
        (
            {
                SELECTION: {**SE, "tie_break": [{"lowest": "max_depth"}]},
                "validation": {},
                "split__valid": {"share": 0.2},
            },
            "search.selection.within_standard_errors",
            "no standard error",
            "folds",
        ),
    ],
)
def test_contradictions_are_named_with_place_and_way_out(problems, changes, key, what, hint):
    found = problems(**changes)

    assert list(found) == [key]
    assert what in found[key][0]
    assert hint in found[key][1]


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"validation": {"folds": 3}}, "validation", "a holdout has no"),
        ({"validation": {"scheme": "k_fold", "folds": 1}}, "validation.folds", "wrong value"),
        ({"validation": {**TIMELY, "repeats": 2}}, "validation", "no repeats"),
        ({"validation": {"scheme": "k_fold", "group": "g"}}, "validation", "'grouped'"),
        ({"objective": {"metric": "auc"}}, "objective.metric", "unknown metric 'auc'"),
        ({"objective": {"metric": "a:b"}}, "objective", "declare its 'direction'"),
        ({SELECTION: SE}, "search.selection", "something has to decide"),
        ({SELECTION: {"tie_break": [{}]}}, "search.selection.tie_break.0", "exactly one"),
        (
            {"evaluation": {"functions": [{**OWN, "function": "saving"}]}},
            "evaluation.functions.0.function",
            "no function of the project",
        ),
        ({"evaluation": {"bootstrap": {"level": 1}}}, "evaluation.bootstrap.level", "wrong value"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(problems, changes, key, what):
    found = problems(**changes)

    assert key in found
    assert what in found[key][0]


def test_an_unknown_metric_is_answered_with_the_known_ones(problems):
    what = problems(objective={"metric": "auc"})["objective.metric"][0]

    assert all(name in what for name in METRICS)
    assert "module:function of the project" in what


def test_a_declared_holdout_is_no_declaration():
    changes = {"validation": {"scheme": "holdout"}, "split__valid": {"share": 0.2}}
    loaded = PipelineConfig.model_validate(config(**changes))

    assert loaded.validation == ValidationConfig()
    assert not loaded.validation.has_folds
    assert loaded.evaluation == EvaluationConfig()
