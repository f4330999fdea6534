"""Statistics and models know the training rows only; test rows change nothing but the score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlops_ray.data.profile import Profile
from mlops_ray.data.scan import scan
from mlops_ray.pipeline.stages import ingest

pytestmark = pytest.mark.ray


def _absurd(tables, table, rows):
    """The same rows with values that would ruin any statistic they got into."""
    for column, value in (("age", 1e9), ("area", -1e12), ("rooms", 10**6), ("city", "~absurd")):
        table = tables.changed(table, column, rows, value)
    return table


def test_absurd_test_rows_change_only_what_is_measured_on_them(binary, bench, tables):
    test = np.flatnonzero(tables.parts_of(binary.table, binary.config) == "test")

    other = bench.run(binary.config, _absurd(tables, binary.table, test))

    assert other.run.result_id != binary.run.result_id
    assert other.outputs("ingest") != binary.outputs("ingest")
    assert other.outputs("features") == binary.outputs("features")
    assert other.outputs("search") == binary.outputs("search")
    assert other.outputs("refit") == binary.outputs("refit")
    assert other.run.result.model.bundle == binary.run.result.model.bundle
    assert other.run.metrics != binary.run.metrics
    answers = binary.run.profile("predictions")
    assert answers.n_rows == len(test)
    assert list(answers.columns) == ["label", "probability.no", "probability.yes"]
    assert other.run.profile("predictions") != answers
    assert other.outputs("profile")["test"] != binary.outputs("profile")["test"]
    assert other.outputs("profile")["train"] == binary.outputs("profile")["train"]
    assert other.run.profile("train") == binary.run.profile("train")
    assert other.run.profile("train").associations["area"].auc is not None
    assert other.run.result.search.trials == binary.run.result.search.trials


def test_test_rows_copied_from_training_are_told_and_change_no_statistic(binary, bench, tables):
    parts = tables.parts_of(binary.table, binary.config)
    train, test = (np.flatnonzero(parts == part) for part in ("train", "test"))
    table = binary.table
    for column in table.column_names:
        if column != "id":
            copied = [table[column][int(row)].as_py() for row in train[:40]]
            table = tables.changed(table, column, test[:40], copied)

    other = bench.run(binary.config, table)

    assert not binary.run.hints
    (hint,) = other.run.hints
    assert (hint.kind, hint.column, hint.evidence["n_rows"]) == ("rows_in_train", "test", 40)
    assert other.outputs("profile")["train"] == binary.outputs("profile")["train"]
    assert other.outputs("features") == binary.outputs("features")


def test_one_changed_training_row_changes_everything_after_it(binary, bench, tables):
    train = np.flatnonzero(tables.parts_of(binary.table, binary.config) == "train")[:1]

    other = bench.run(binary.config, _absurd(tables, binary.table, train))

    assert other.outputs("features")["state"] != binary.outputs("features")["state"]
    assert other.outputs("search") != binary.outputs("search")
    assert other.run.result.model.bundle != binary.run.result.model.bundle
    assert other.outputs("profile")["test"] == binary.outputs("profile")["test"]


def test_one_changed_validation_row_changes_trials_but_no_statistics(binary, bench, tables):
    valid = np.flatnonzero(tables.parts_of(binary.table, binary.config) == "valid")[:3]

    other = bench.run(binary.config, _absurd(tables, binary.table, valid))

    assert other.outputs("features")["state"] == binary.outputs("features")["state"]
    assert other.outputs("features")["train"] == binary.outputs("features")["train"]
    assert other.outputs("search") != binary.outputs("search")


def _leaky(units, plan, unit_map):
    """A pass whose training statistics have seen the test rows."""
    found = scan(units, plan, unit_map)
    seen = Profile.merged([found.profiles["train"], found.profiles["test"]])
    return replace(found, profiles={**found.profiles, "train": seen})


def test_statistics_that_had_seen_test_rows_would_be_noticed(binary, bench, tables, monkeypatch):
    test = np.flatnonzero(tables.parts_of(binary.table, binary.config) == "test")
    monkeypatch.setattr(ingest, "scan", _leaky)

    plain = bench.run(binary.config, binary.table)
    other = bench.run(binary.config, _absurd(tables, binary.table, test))

    assert other.outputs("features")["state"] != plain.outputs("features")["state"]
    assert other.run.result.model.bundle != plain.run.result.model.bundle
