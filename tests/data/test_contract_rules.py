"""Every kind of rule, broken by changing the thing itself beside an unchanged twin."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.config.contract import ContractConfig
from mlops_ray.config.model import SplitConfig
from mlops_ray.data.contract_check import judge_scan
from mlops_ray.data.contract_outcome import ContractOutcome
from mlops_ray.data.rule import CheckPlan
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.split import SplitRows, assign_split
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ContractError

N = 300
DAY = dt.date(2018, 12, 1)
SHARES = SplitConfig.model_validate({"test": {"share": 0.3}, "valid": {"share": 0.2}})
SPLIT = SplitRows(SHARES, ("id",), None, 5)
CONTRACT = {
    "columns": {
        "id": {"type": "integer", "nulls": 0},
        "age": {"type": "float", "nulls": {"max_share": 0.1}, "range": {"min": 0, "max": 120}},
        "city": {"values": ["Bern", "Genf"]},
        "mail": {"pattern": "[a-z0-9]+@[a-z]+"},
        "end": {"range": {"min": "2018-01-01", "max": "2018-12-31"}},
    },
    "unique": [["id"]],
    "rows": {"min": N - 5, "max": N + 5},
    "freshness": {"max_age_days": 45, "column": "end"},
    "checks": ["end >= start"],
    "labels": {"classes": [0, 1], "balance": {"min_share": 0.2}},
}


def people(n: int = N) -> dict[str, list[object]]:
    """Columns of a table that keeps the contract."""
    rng = np.random.default_rng(3)
    ages = rng.uniform(1, 90, n).round(1).tolist()
    return {
        "id": list(range(1000, 1000 + n)),
        "age": [None if at % 15 == 7 else age for at, age in enumerate(ages)],
        "city": rng.choice(["Bern", "Genf"], n).tolist(),
        "mail": [f"p{at}@example" for at in range(n)],
        "start": [DAY - dt.timedelta(days=int(d)) for d in rng.integers(3, 300, n)],
        "end": [DAY - dt.timedelta(days=int(d)) for d in rng.integers(0, 3, n)],
        "label": [at % 2 for at in range(n)],
    }


def plan_of(contract=CONTRACT, *, pii=(), key=("id",)) -> CheckPlan:
    declared = ContractConfig.model_validate(contract)
    return CheckPlan(declared, "label", None, "2018-12-31", tuple(key), frozenset(pii))


def judged(files, plan, split=SPLIT, unit_map=map_in_process):
    units, what = list_units(files), ScanPlan(read_schema(files), split, plan)
    found = scan(units, what, unit_map)
    outcome = judge_scan(found, what, units, unit_map)
    assert outcome is not None
    return found, outcome


@pytest.fixture
def outcome_of(write_parquet):
    def judge(columns, plan=None, name="one.parquet"):
        return judged([write_parquet(name, pa.table(columns))], plan or plan_of())[1]

    return judge


def broken(outcome: ContractOutcome) -> dict[str, dict[str, int]]:
    return {r.rule: dict(r.counts) for r in outcome.rules if r.verdict != "PASS"}


def parts_of(ids) -> dict[str, int]:
    """How many of these rows each part gets."""
    codes = assign_split(pa.table({"id": ids}), {"id": "integer"}, SPLIT)
    return dict(
        zip(("train", "valid", "test"), np.bincount(codes, minlength=3).tolist(), strict=True)
    )


def test_a_table_that_keeps_its_contract_passes_every_rule(outcome_of):
    outcome = outcome_of(people())

    assert outcome.verdict == "PASS"
    assert [rule.rule for rule in outcome.rules] == [
        "columns.id.type",
        "columns.id.nulls",
        "columns.age.type",
        "columns.age.nulls",
        "columns.age.range",
        "columns.city.values",
        "columns.mail.pattern",
        "columns.end.range",
        "unique.0",
        "rows",
        "freshness",
        "checks.0",
        "labels.classes",
        "labels.balance",
    ]
    outcome.check()


ROWS = (4, 61, 250)  # Those that a mutation changes.
CELLS = {
    "columns.age.range": ("age", [-0.5, 120.5, float("inf")]),
    "columns.city.values": ("city", ["Bonn", "", "bern"]),
    "columns.mail.pattern": ("mail", ["x", "a@b\n", "A@b"]),
    "columns.end.range": ("end", [dt.date(2019, 1, 1)] * 3),
    "checks.0": ("start", [dt.date(2019, 6, 1)] * 3),
    "labels.classes": ("label", [2, -1, 7]),
}


@pytest.mark.parametrize("rule", CELLS)
def test_changed_cells_break_the_one_rule_with_exact_counts_by_part(outcome_of, rule):
    column, cells = CELLS[rule]
    columns = people()
    for row, cell in zip(ROWS, cells, strict=True):
        columns[column][row] = cell

    outcome = outcome_of(columns)

    ids = [columns["id"][row] for row in ROWS]
    assert broken(outcome) == {rule: parts_of(ids)}
    (found,) = (r for r in outcome.rules if r.rule == rule)
    shown = {dict(example.key)["id"]: dict(example.values)[column] for example in found.examples}
    assert shown == {str(i): str(cell) for i, cell in zip(ids, cells, strict=True)}
    with pytest.raises(ContractError, match=rf"gate data_valid.*\n.*{rule} \(.*train \d"):
        outcome.check()


def test_nulls_beyond_the_share_break_the_one_rule(outcome_of):
    columns = people()
    n_null = sum(age is None for age in columns["age"])
    for row in range(30 - n_null):
        columns["age"][2 * row] = None

    at_the_bound = outcome_of(columns)
    columns["age"][121] = float("nan")  # A null like any other.
    beyond = outcome_of(columns)

    assert sum(v is None for v in columns["age"]) == 30 == N // 10
    assert broken(at_the_bound) == {}
    assert {rule: sum(n.values()) for rule, n in broken(beyond).items()} == {
        "columns.age.nulls": 31
    }


def test_a_repeated_key_is_counted_with_all_its_rows(outcome_of):
    columns = people()
    columns["id"][3] = columns["id"][2]
    columns["id"][200] = columns["id"][2]
    columns["id"][9] = columns["id"][8]

    outcome = outcome_of(columns)

    assert broken(outcome) == {"unique.0": parts_of([1002, 1002, 1002, 1008, 1008])}
    (found,) = (rule for rule in outcome.rules if rule.rule == "unique.0")
    assert {tuple(e.key) + tuple(e.values) for e in found.examples} == {
        (("id", "1002"), ("rows", "3")),
        (("id", "1008"), ("rows", "2")),
    }


def test_another_type_breaks_the_one_rule_and_what_it_hides_is_not_judged(outcome_of):
    columns = people()
    columns["age"] = [None if age is None else str(age) for age in columns["age"]]

    outcome = outcome_of(columns)

    verdicts = {rule.rule: rule.verdict for rule in outcome.rules if rule.verdict != "PASS"}
    assert verdicts == {"columns.age.type": "FAIL", "columns.age.range": "UNKNOWN"}
    (found,) = (rule for rule in outcome.rules if rule.verdict == "FAIL")
    assert sum(found.counts.values()) == N


def test_an_absent_column_is_named_by_every_rule_that_needs_it(outcome_of):
    columns = people()
    del columns["start"]

    outcome = outcome_of(columns)

    assert {r.rule: r.verdict for r in outcome.rules if r.verdict != "PASS"} == {
        "checks.0": "UNKNOWN"
    }
    assert outcome.verdict == "FAIL"


@pytest.mark.parametrize("n", [N - 6, N + 6])
def test_too_few_or_too_many_rows(outcome_of, n):
    outcome = outcome_of(people(n))

    assert list(broken(outcome)) == ["rows"]
    assert f"{n} rows" in str(outcome.rules[9])


def test_freshness_goes_by_the_declared_day_and_not_by_the_clock(outcome_of):
    columns = people()
    columns["end"] = [day - dt.timedelta(days=16) for day in columns["end"]]
    columns["start"] = [day - dt.timedelta(days=16) for day in columns["start"]]

    outcome = outcome_of(columns)

    assert list(broken(outcome)) == ["freshness"]
    assert "46 days old" in str(outcome.rules[10])


def test_a_class_that_becomes_rare_breaks_the_balance(outcome_of):
    columns = people()
    columns["label"] = [int(at % 10 == 0) for at in range(N)]

    assert list(broken(outcome_of(columns))) == ["labels.balance"]


def test_classes_of_another_type_are_not_called_balanced(outcome_of):
    columns = people()
    columns["label"] = [str(label) for label in columns["label"]]

    verdicts = {r.rule: r.verdict for r in outcome_of(columns).rules if r.verdict != "PASS"}

    assert verdicts == {"labels.classes": "UNKNOWN", "labels.balance": "UNKNOWN"}


def test_new_categories_are_let_in_up_to_the_declared_share(outcome_of):
    rules = {"columns": {"city": {"values": {"allowed": ["Bern", "Genf"], "max_share": 0.01}}}}
    columns = people()
    columns["city"][:3] = ["Bonn", "Rom", "Oslo"]

    within = outcome_of(columns, plan_of(rules))
    columns["city"][3] = "Bonn"
    beyond = outcome_of(columns, plan_of(rules))

    assert within.rules[0].n_rows == 3  # Counted and shown, though let in.
    assert (within.verdict, len(within.rules[0].examples)) == ("PASS", 3)
    assert (beyond.verdict, beyond.rules[0].n_rows) == ("FAIL", 4)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_a_share_is_taken_as_it_is_written(outcome_of, share):
    """0.3 is a little less than 3/10 as a float: three of ten rows are still within it."""
    columns = people(10)
    for row in range(round(10 * share)):
        columns["city"][row] = None
    rules = {"columns": {"city": {"nulls": share}}}

    assert outcome_of(columns, plan_of(rules)).verdict == "PASS"


def test_a_rule_that_warns_lets_the_data_through(outcome_of):
    rules = {"columns": {"age": {"range": {"max": 50, "on_violation": "warn"}}}}

    outcome = outcome_of(people(), plan_of(rules))

    assert (outcome.verdict, outcome.rules[0].verdict) == ("WARN", "WARN")
    assert outcome.rules[0].n_rows == sum((age or 0) > 50 for age in people()["age"])
    outcome.check()


def test_personal_values_are_counted_and_never_shown(outcome_of):
    columns = people()
    columns["mail"][4] = "Secret Person"
    columns["start"][61] = dt.date(2019, 6, 1)

    plain = outcome_of(columns)
    hidden = outcome_of(columns, plan_of(pii=["mail", "start"]))
    without_key = outcome_of(columns, plan_of(pii=["id"]))

    assert b"Secret Person" in plain.to_bytes()
    assert b"Secret Person" not in hidden.to_bytes()
    assert b"2019-06-01" not in hidden.to_bytes()
    assert broken(hidden) == broken(plain) == broken(without_key)
    assert b'"key":{"id"' in plain.to_bytes()
    assert b'"key":{"id"' not in without_key.to_bytes()


def test_files_row_groups_and_order_of_rows_do_not_show(write_parquet):
    columns = people()
    for row in range(0, N, 7):
        columns["age"][row], columns["city"][row] = -1.0 - row, f"city {row}"
    columns["id"][1] = columns["id"][2]
    columns["start"][9] = dt.date(2019, 1, 1)
    contract = {
        **CONTRACT,
        "columns": {
            **CONTRACT["columns"],
            "age": {"range": {"min": 0, "on_violation": "quarantine"}},
        },
    }
    table = pa.table(columns)
    shuffled = table.take(np.random.default_rng(1).permutation(N))

    found, one = judged([write_parquet("one.parquet", table)], plan_of(contract))
    pieces = [
        write_parquet(f"{at:02}.parquet", shuffled.slice(at * 10, 10)) for at in range(N // 10)
    ]
    again, many = judged(pieces, plan_of(contract))

    assert many.to_bytes() == one.to_bytes()
    assert again.to_bytes() == found.to_bytes()
    assert len(one.set_aside) == 3
    assert {r.rule: len(r.examples) for r in one.rules if r.examples} == {
        "columns.age.range": 5,
        "unique.0": 1,
        "checks.0": 1,
    }


def test_rows_set_aside_leave_what_the_table_without_them_gives(write_parquet):
    contract = {
        "columns": {
            "age": {"range": {"max": 60, "on_violation": "quarantine"}},
            "city": {"values": {"allowed": ["Bern", "Genf"], "on_violation": "quarantine"}},
        },
        "rows": {"min": 1},
    }
    columns = people()
    columns["city"][:20] = ["Bonn"] * 20
    table = pa.table(columns)
    good = [
        (age or 0) <= 60 and city != "Bonn"
        for age, city in zip(columns["age"], columns["city"], strict=True)
    ]

    found, outcome = judged([write_parquet("one.parquet", table)], plan_of(contract))
    clean, without = judged(
        [write_parquet("two.parquet", table.filter(pa.array(good)))], plan_of(contract)
    )

    assert found.to_bytes() == clean.to_bytes()
    assert found.fingerprint == clean.fingerprint
    assert outcome.n_rows == without.n_rows
    assert sum(outcome.set_aside.values()) == N - sum(good)  # Each row once.
    assert {r.rule: r.n_rows for r in outcome.rules[:2]} == {
        "columns.age.range": sum((age or 0) > 60 for age in columns["age"]),
        "columns.city.values": 20,
    }
    assert [rule.to_json() for rule in outcome.rules[2:]] == [
        r.to_json() for r in without.rules[2:]
    ]


def test_a_row_without_a_key_can_be_set_aside_instead_of_ending_the_run(outcome_of):
    columns = people()
    columns["id"][5] = None
    rules = {"columns": {"id": {"nulls": {"on_violation": "quarantine"}}}}

    outcome = outcome_of(columns, plan_of(rules))

    assert outcome.set_aside == {"unassigned": 1}
    assert outcome.rules[0].counts == {"train": 0, "valid": 0, "test": 0, "unassigned": 1}


def test_a_contract_that_sets_every_row_aside_is_said_so(outcome_of):
    rules = {"columns": {"label": {"range": {"min": 5, "on_violation": "quarantine"}}}}

    with pytest.raises(ContractError, match="sets every row aside: got 300 rows"):
        outcome_of(people(), plan_of(rules))


def test_an_outcome_is_read_back_as_it_was_written(outcome_of):
    columns = people()
    columns["age"][3] = 500.0
    outcome = outcome_of(columns)

    assert ContractOutcome.from_bytes(outcome.to_bytes()).to_bytes() == outcome.to_bytes()
