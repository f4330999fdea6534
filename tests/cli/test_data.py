"""`mlops-ray data ...`: what is printed, and how it ends."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.cli.data import contract, profile
from mlops_ray.data.profile import Profile

CONFIG = {
    "version": 1,
    "name": "people",
    "objective": {"metric": "roc_auc"},
    "data": {
        "source": "people.parquet",
        "task": "binary",
        "target": "label",
        "key": ["id"],
        "columns": {"name": {"pii": True}},
        "contract": {
            "columns": {"age": {"range": {"max": 99}}, "name": {"pattern": "P[0-9]+"}},
            "rows": {"max": 50, "on_violation": "warn"},
        },
    },
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["age"]}],
    "model": {"family": "xgboost"},
}


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "people.yaml").write_text(json.dumps(CONFIG))
    columns = {
        "id": range(60),
        "age": [20 + at for at in range(60)],
        "name": [f"P{at}" for at in range(60)],
        "label": [at % 2 for at in range(60)],
    }
    pq.write_table(pa.table({n: list(v) for n, v in columns.items()}), "people.parquet")
    columns["age"], columns["name"] = [120, *columns["age"][1:]], ["Bob", *columns["name"][1:]]
    pq.write_table(pa.table({n: list(v) for n, v in columns.items()}), "worse.parquet")
    return "people.yaml"


def test_data_that_keep_the_contract_end_with_0_and_warnings_are_said(config, capfd):
    code = contract(config, as_json=True)

    out, err = capfd.readouterr()
    line = json.loads(out)
    assert (code, line["schema"], line["verdict"]) == (0, "mlops-ray/contract/v1", "WARN")
    assert [rule["verdict"] for rule in line["rules"]] == ["PASS", "PASS", "WARN"]
    assert "WARN rows: 60 rows; wanted at most 50 rows" in err


def test_data_that_break_it_end_with_3_and_one_json_line(config, capfd):
    code = contract(config, data="worse.parquet", as_json=True)

    out, err = capfd.readouterr()
    line = json.loads(out)
    age, name, _ = line["rules"]
    assert (code, line["verdict"], out.count("\n")) == (3, "FAIL", 1)
    assert (age["rule"], age["verdict"], age["n_rows"]) == ("columns.age.range", "FAIL", 1)
    assert age["examples"] == [{"key": {"id": "0"}, "values": {"age": "120"}}]
    assert (name["verdict"], name["n_rows"], name["examples"]) == ("FAIL", 1, [])
    assert "Bob" not in out + err


def test_people_get_a_table(config, capfd):
    contract(config, data="worse.parquet")
    out, _ = capfd.readouterr()

    head, *rows = [line.split() for line in out.splitlines()]
    assert head == ["RULE", "VERDICT", "ROWS", "GOT", "WANTED"]
    assert [row[:3] for row in rows] == [
        ["columns.age.range", "FAIL", "1"],
        ["columns.name.pattern", "FAIL", "1"],
        ["rows", "WARN", "60"],
    ]


def test_a_draft_goes_to_stdout_or_into_a_file(config, capfd, tmp_path):
    assert contract(config, learn=True) == 0
    shown, _ = capfd.readouterr()
    assert contract(config, learn=True, out=tmp_path / "draft.yaml") == 0

    assert (tmp_path / "draft.yaml").read_text() == shown
    assert capfd.readouterr().out == ""
    assert shown.startswith("# Drafted from 60 rows of people.parquet")


def test_the_profile_is_a_table_or_one_json_line_without_personal_values(config, capfd):
    profile(config)
    table, _ = capfd.readouterr()
    profile(config, as_json=True)
    line, _ = capfd.readouterr()

    assert "P17" not in table + line
    ages = next(row for row in table.splitlines() if row.startswith("age")).split()
    assert ages[:7] == ["age", "integer", "0", "60", "20", "49.5", "79"]
    assert Profile.from_json(json.loads(line)).n_rows == 60
