"""`monitor check`: a table against the training profile in a version's manifest."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.ray


def _check(case, table):
    case.bench.write(table, name="live")
    report = case.project.check_drift(case.run.model_reference, str(case.bench.folder / "live"))
    return report, {column.column: column for column in report.columns}


def test_new_rows_of_the_same_kind_pass(binary, tables):
    fresh = tables.homes(n_rows=1000, seed=99)
    fresh = fresh.filter(np.array([city != tables.UNSEEN for city in fresh["city"].to_pylist()]))

    report, columns = _check(binary, fresh)

    assert report.verdict == "PASS"
    assert list(columns) == ["age", "area", "rooms", "city", "owner"]
    assert {column.n_live for column in columns.values()} == {fresh.num_rows}
    assert {column.n_reference for column in columns.values()} == {
        binary.run.result.split["train"].n_rows
    }


def test_a_shifted_column_fails_and_is_the_only_one_named(binary, tables):
    fresh = tables.homes(n_rows=1000, seed=99)
    fresh = fresh.filter(np.array([city != tables.UNSEEN for city in fresh["city"].to_pylist()]))
    area = np.asarray(fresh["area"])

    report, columns = _check(binary, tables.changed(fresh, "area", slice(None), area + 25.0))

    assert report.verdict == "FAIL"
    assert [name for name, column in columns.items() if column.verdict == "FAIL"] == ["area"]
    assert "psi" in columns["area"].reason


def test_an_absent_column_is_unknown_and_so_is_the_report(binary, tables):
    fresh = tables.homes(n_rows=1000, seed=99).drop_columns(["city"])

    report, columns = _check(binary, fresh)

    assert report.verdict == "UNKNOWN"
    assert columns["city"].verdict == "UNKNOWN"
    assert columns["city"].reason == "the live data do not have the column"
    assert {c.verdict for name, c in columns.items() if name != "city"} == {"PASS"}


def test_too_few_rows_are_no_reason_for_a_green_light(binary, tables):
    report, columns = _check(binary, tables.homes(n_rows=30, seed=99))

    assert report.verdict == "UNKNOWN"
    assert {column.reason for column in columns.values()} == {"fewer than 100 rows on a side"}
