"""The rule of choice: ties, one standard error, and what decides between equals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_ray.config.validation import SelectionConfig
from mlops_ray.errors import SearchError
from mlops_ray.search.selection import chosen_trial, standard_error
from mlops_ray.search.trial import TrialRecord, best_trial

BETTER = {"roc_auc": "max", "log_loss": "min", "rmse": "min"}


def record(index, folds, status="finished", name="roc_auc", **params):
    value = float(np.mean(folds)) if status == "finished" else None
    metrics = {name: float(np.mean(folds)), "log_loss": params.pop("log_loss", 1.0)}
    scores = tuple({name: value} for value in folds)
    return TrialRecord(index, params, "1", status, value, metrics, folds=scores)


def choose(records, objective="roc_auc", **rule):
    return chosen_trial(records, SelectionConfig.model_validate(rule), objective, BETTER).index


def test_by_default_it_is_the_best_and_of_equals_the_first():
    records = [record(0, [0.5]), record(1, [0.75]), record(2, [0.75])]

    assert choose(records) == best_trial(records, "max").index == 1


def test_a_tie_break_decides_between_equal_objectives_only():
    records = [
        record(0, [0.70], depth=1),
        record(1, [0.75], depth=5),
        record(2, [0.75], depth=2),
        record(3, [0.75], depth=2),
    ]

    assert choose(records, tie_break=[{"lowest": "depth"}]) == 2
    assert choose(records, tie_break=[{"highest": "depth"}]) == 1


def test_the_next_tie_break_decides_where_the_first_does_not():
    records = [
        record(0, [0.75], depth=2, log_loss=0.6),
        record(1, [0.75], depth=2, log_loss=0.4),
        record(2, [0.75], depth=3, log_loss=0.1),
    ]

    assert choose(records, tie_break=[{"lowest": "depth"}, {"metric": "log_loss"}]) == 1


def test_the_standard_error_is_that_of_a_mean():
    folds = [0.7, 0.74, 0.78, 0.9]

    wanted = np.std(folds, ddof=1) / math.sqrt(4)

    assert standard_error(record(0, folds), "roc_auc") == pytest.approx(wanted, rel=1e-14)


def test_within_a_standard_error_of_the_best_the_simplest_wins():
    best = [0.78, 0.80, 0.82]  # Standard error 0.01155.
    records = [
        record(0, best, depth=9),
        record(1, [0.789, 0.789, 0.789], depth=3),
        record(2, [0.788, 0.788, 0.788], depth=1),
    ]
    rule = {"within_standard_errors": 1.0, "tie_break": [{"lowest": "depth"}]}

    assert choose(records, **rule) == 1
    assert choose(records, **{**rule, "within_standard_errors": 1.05}) == 2
    assert choose(records, **{**rule, "within_standard_errors": 0.5}) == 0


def test_of_equal_simplicity_the_better_wins_then_the_first():
    records = [
        record(0, [0.79, 0.81], depth=2),
        record(1, [0.795, 0.795], depth=1),
        record(2, [0.796, 0.796], depth=1),
        record(3, [0.796, 0.796], depth=1),
    ]

    assert choose(records, within_standard_errors=1, tie_break=[{"lowest": "depth"}]) == 2


def test_towards_the_minimum_worse_is_larger():
    records = [
        record(0, [1.0, 1.2], name="rmse", depth=4),
        record(1, [1.15, 1.15], name="rmse", depth=1),
        record(2, [1.3, 1.3], name="rmse", depth=0),
    ]

    rule = {"within_standard_errors": 1, "tie_break": [{"lowest": "depth"}]}
    assert choose(records, "rmse", **rule) == 1


def test_a_trial_that_was_cut_short_or_lacks_the_parameter_is_not_preferred():
    records = [
        record(0, [0.75], depth=5),
        record(1, [0.75]),
        record(2, [0.75], status="pruned", depth=1),
    ]

    assert choose(records, tie_break=[{"lowest": "depth"}]) == 0


def test_without_a_valid_trial_there_is_no_choice():
    with pytest.raises(SearchError):
        choose([record(0, [0.7], status="pruned")], tie_break=[{"lowest": "depth"}])
