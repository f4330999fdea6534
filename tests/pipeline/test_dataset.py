"""A table by itself: profile, drafted contract and check, in process and without a cluster."""

import datetime as dt
import json
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from mlops_ray import Dataset
from mlops_ray.data.profile import Profile
from mlops_ray.errors import ConfigError, InvalidConfigError, SourceError

CENSUS = Path(__file__).parents[2] / "../shared/data/employment_ma"
N = 400


def people(n=N, first=0):
    rng = np.random.default_rng(2)
    return pa.table(
        {
            "id": np.arange(first, first + n),
            "age": rng.integers(18, 80, n),
            "city": rng.choice(["Bern", "Genf"], n),
            "name": [f"Person {at}" for at in range(n)],
            "label": np.arange(n) % 2,
        }
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a table and a pipeline file to be changed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    pq.write_table(people(), tmp_path / "people.parquet")

    def write(contract=None, source="people.parquet"):
        config = {
            "version": 1,
            "name": "people",
            "objective": {"metric": "roc_auc"},
            "data": {
                "source": source,
                "task": "binary",
                "target": "label",
                "key": ["id"],
                "columns": {"name": {"pii": True}},
                **({} if contract is None else {"contract": contract}),
            },
            "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
            "features": [{"columns": ["age"]}],
            "model": {"family": "xgboost"},
        }
        (tmp_path / "pipeline.yaml").write_text(json.dumps(config))
        return "pipeline.yaml"

    return write


def drafted(dataset):
    return YAML(typ="safe", pure=True).load(dataset.learn_contract())["data"]["contract"]


def test_data_keep_the_contract_that_was_drafted_from_them(project):
    contract = drafted(Dataset(project()))

    outcome = Dataset(project(contract)).check_contract()

    assert outcome.verdict == "PASS"
    assert len(outcome.rules) > 10
    assert sum(outcome.n_rows.values()) == N
    assert contract["unique"] == [["id"]]
    assert contract["columns"]["name"].keys() == {"type", "nulls"}


def test_other_data_are_held_against_it_by_name(project):
    contract = drafted(Dataset(project()))
    config = project(contract)
    newer = people(first=N)
    ages, cities = newer["age"].to_pylist(), newer["city"].to_pylist()
    ages[7], cities[8] = 200, "Bonn"
    newer = newer.set_column(1, "age", pa.array(ages)).set_column(2, "city", pa.array(cities))
    pq.write_table(newer, "newer.parquet")

    outcome = Dataset(config, data="newer.parquet").check_contract()

    broken = {rule.rule: rule.n_rows for rule in outcome.rules if rule.verdict != "PASS"}
    assert outcome.verdict == "FAIL"
    assert broken == {"columns.age.range": 1, "columns.city.values": 1}


def test_the_profile_tells_no_personal_value_and_is_read_as_one(project):
    found = Dataset(project()).profile()

    written = json.dumps(found.to_json())
    assert "Person" not in written
    assert Profile.from_json(json.loads(written)).n_rows == N
    assert found.columns["name"].n_null == 0
    assert "Person" in json.dumps(Dataset("people.parquet").profile().to_json())


def test_a_source_alone_shows_which_columns_are_keys(project):
    project()
    contract = drafted(Dataset("people.parquet"))

    assert contract["unique"] == [["id"], ["name"]]
    assert "labels" not in contract


def test_a_bundled_table_has_a_profile_too():
    assert Dataset("sklearn:iris").profile().n_rows == 150


def test_without_a_contract_the_way_to_one_is_shown(project):
    with pytest.raises(ConfigError, match=r"no contract to hold the data against.*--learn"):
        Dataset(project()).check_contract()
    with pytest.raises(ConfigError, match="no contract"):
        Dataset("people.parquet").check_contract()


def test_what_cannot_be_evaluated_is_told_with_its_place(project):
    rules = {
        "columns": {"name": {"pattern": "(?=a)"}},
        "checks": ["age >> 1", "surprise(age) > 1"],
    }

    with pytest.raises(InvalidConfigError) as caught:
        Dataset(project(rules)).check_contract()

    keys = [problem.where.key for problem in caught.value.problems]
    assert keys == [
        "data.contract.columns.name.pattern",
        "data.contract.checks.0",
        "data.contract.checks.1",
    ]
    assert all(problem.where.line for problem in caught.value.problems)


def test_no_ray_is_loaded_for_a_small_table(project):
    import subprocess  # noqa: PLC0415

    config = project({"rows": {"min": 1}})
    code = (
        "import sys, mlops_ray\n"
        f"dataset = mlops_ray.Dataset({config!r})\n"
        "dataset.profile(), dataset.learn_contract(), dataset.check_contract()\n"
        "print('ray' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)

    assert done.stdout.strip() == b"False"


@pytest.mark.skipif(not CENSUS.exists(), reason="the census table is not here: ../shared/data")
def test_the_census_of_2018_breaks_the_contract_of_2015_only_where_it_has_to(tmp_path, monkeypatch):
    """See docs/contract.md: the survey year, and nothing else, of all the columns' rules."""
    monkeypatch.chdir(tmp_path)
    contract = drafted(Dataset(str(CENSUS / "2015.parquet")))
    config = json.loads(json.dumps(_CENSUS_CONFIG))
    config["data"] |= {"source": str(CENSUS / "2015.parquet"), "contract": contract}
    (tmp_path / "census.yaml").write_text(json.dumps(config))

    learned = Dataset("census.yaml").check_contract()
    later = Dataset("census.yaml", data=str(CENSUS / "2018.parquet")).check_contract()

    assert learned.verdict == "PASS"
    n_rows = pq.read_metadata(CENSUS / "2018.parquet").num_rows
    broken = {rule.rule: rule.n_rows for rule in later.rules if rule.verdict != "PASS"}
    assert broken == {"columns.year.values": n_rows}


_CENSUS_CONFIG = {
    "version": 1,
    "name": "census",
    "objective": {"metric": "roc_auc"},
    "data": {"task": "binary", "target": "employed", "key": ["year", "id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["AGEP"]}],
    "model": {"family": "xgboost"},
}


def test_a_table_and_a_query_are_looked_at_like_files(tmp_path, monkeypatch):
    table = pa.table({"n": [1, 2, 3], "s": ["a", None, "b"]})
    with sqlite3.connect(tmp_path / "w.db") as connection:
        table.to_pandas().to_sql("t", connection, index=False)
    connection.close()
    monkeypatch.setenv("TEST_TABLE_URL", f"sqlite:///{tmp_path / 'w.db'}")
    query = {"sql": "SELECT * FROM t", "url_env": "TEST_TABLE_URL"}
    config = {
        "version": 1,
        "name": "t",
        "objective": {"metric": "rmse"},
        "data": {"source": query, "task": "regression", "target": "n", "key": ["n"]},
        "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
        "features": [{"columns": ["s"], "steps": ["one_hot"]}],
        "model": {"family": "linear"},
    }
    (tmp_path / "p.yaml").write_text(json.dumps(config))

    found = [
        Dataset(tmp_path / "p.yaml").profile(),
        Dataset(tmp_path / "p.yaml", data=table).profile(),
        Dataset("unused", data=table.to_pandas()).profile("n"),
    ]

    assert found[0] == found[1] == found[2]
    assert (found[0].n_rows, found[0].columns["s"].n_null) == (3, 1)


def carried(n=N):
    """People with columns of types that no feature is made of."""
    ids = range(n)
    return (
        people(n)
        .append_column("tags", pa.array([None if at % 4 == 0 else [str(at)] for at in ids]))
        .append_column("fee", pa.array([Decimal(at).scaleb(-2) for at in ids]))
        .append_column("opens", pa.array([dt.time(at % 24) for at in ids]))
        .append_column("token", pa.array([bytes([at % 256]) for at in ids]))
    )


def test_columns_of_any_type_are_profiled_fingerprinted_and_kept_to_a_contract(project):
    pq.write_table(carried(), "people.parquet")
    rules = {
        "columns": {
            "tags": {"type": "list", "nulls": 0},
            "fee": {"type": "decimal", "range": {"min": 0, "max": 1}, "nulls": 0},
            "opens": {"type": "time"},
            "token": {"type": "binary", "nulls": 0},
        },
        "unique": [["token", "fee"]],
        "checks": ["fee * 2 < 4"],
    }
    config = project(rules)

    facts = Dataset(config).facts()
    outcome = Dataset(config).check_contract()

    columns = {column["name"]: column for column in facts.to_json()["columns"]}
    assert columns["tags"] == {
        "name": "tags", "kind": "presence", "dtype": "list<string>", "n_rows": N, "n_null": N // 4,
    }  # fmt: skip
    assert (columns["fee"]["dtype"], columns["fee"]["maximum"]) == ("decimal", 3.99)
    assert Profile.from_json(facts.to_json()).to_json() == facts.profile.to_json()
    found = {rule.rule: (rule.verdict, sum(rule.counts.values())) for rule in outcome.rules}
    assert found.pop("columns.tags.nulls") == ("FAIL", N // 4)
    assert found.pop("columns.fee.range") == ("FAIL", N - 101)
    assert found.pop("checks.0") == ("FAIL", N - 200)
    assert {verdict for verdict, _ in found.values()} == {"PASS"}


def test_a_contract_drafted_from_any_types_is_kept_by_them(project):
    pq.write_table(carried(), "people.parquet")
    draft = YAML(typ="safe").load(Dataset(project()).learn_contract())
    contract = draft["data"]["contract"]

    assert contract["columns"]["tags"] == {"type": "list", "nulls": 0.5}
    assert contract["columns"]["opens"]["type"] == "time"
    assert Dataset(project(contract)).check_contract().verdict == "PASS"


def test_both_fingerprints_of_a_table_tell_a_changed_cell_and_one_of_them_the_order(project):
    config = project()
    tables = [carried(), carried().take(list(range(N))[::-1])]
    tags = carried()["tags"].to_pylist()
    tags[7] = ["7", None]
    at = carried().column_names.index("tags")
    tables.append(carried().set_column(at, "tags", pa.array(tags)))
    found = []
    for table in tables:
        pq.write_table(table, "people.parquet")
        facts = Dataset(config).facts()
        found.append((facts.fingerprint, facts.ordered_fingerprint))

    assert found[0][0] == found[1][0] != found[2][0]
    assert len({ordered for _, ordered in found}) == 3


def test_personal_times_and_dates_have_no_values_either(project):
    table = people().append_column("born", pa.array([dt.date(1990, 1, 1)] * N))
    pq.write_table(table.drop_columns(["name"]).append_column("name", table["born"]), "p.parquet")

    (column,) = (
        column
        for column in Dataset(project(source="p.parquet")).facts().to_json()["columns"]
        if column["name"] == "name"
    )

    assert column == {"name": "name", "kind": "presence", "dtype": "date", "n_rows": N, "n_null": 0}


def test_bad_files_are_left_out_where_that_is_declared_and_an_error_elsewhere(project):
    Path("parts").mkdir()
    for at in range(4):
        rows = people().slice(at * 100, 100)
        pq.write_table(rows, f"parts/{at}.parquet", write_page_checksum=True, compression="none")
    content = bytearray(Path("parts/2.parquet").read_bytes())
    city = pq.read_metadata("parts/2.parquet").row_group(0).column(2)
    content[city.data_page_offset + 30] ^= 1
    Path("parts/2.parquet").write_bytes(content)
    config = project({"columns": {"age": {"type": "integer"}}}, source="parts")

    with pytest.raises(SourceError, match=r"2\.parquet: cannot read"):
        Dataset(config).facts()
    declared = json.loads(Path(config).read_text())
    declared["data"]["on_bad_file"] = "quarantine"
    Path(config).write_text(json.dumps(declared))
    dataset = Dataset(config)
    facts = dataset.facts()
    assert facts.profile.n_rows == 300
    assert facts.to_json()["left_out"] == [
        {"name": "2.parquet", "reason": "cannot read the Parquet file", "n_rows": 100}
    ]
    assert dataset.check_contract().verdict == "PASS"
    assert dataset.left_out == []  # The rules do not look at the damaged column.
    assert "300 rows" in dataset.learn_contract()
