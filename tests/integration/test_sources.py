"""Every kind of source gives the same result for the same rows, and a record that runs again."""

from __future__ import annotations

import gzip
import json
import sqlite3
import warnings
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import ray.data
import sqlalchemy

from mlops_ray import exit_code
from mlops_ray.errors import ConfigError, SourceError
from mlops_ray.pipeline.recorded_inputs import place_inputs
from mlops_ray.storage import ObjectStore

pytestmark = pytest.mark.ray

VARIABLE = "TEST_HOMES_URL"
PASSWORD = "planted-Sesam-4711"  # noqa: S105 - of a server that lives for seconds


@pytest.fixture(scope="module")
def table(tables):
    """Homes in an order of their own, without what CSV cannot tell from null."""
    return tables.homes().drop_columns(["level", "sold"])


@pytest.fixture(scope="module")
def place(new_bench, tables, table, fits_here):
    """Runs the pipeline on any source, in one store; the first run reads three Parquet files."""
    bench = new_bench()
    bench.write(table)
    store = bench.folder / "store"
    config = tables.config_of("linear")
    config["data"] |= {"order_by": ["id"]}
    del config["register"], config["data"]["source"]

    def run(source="data", *, data=None, in_process_below_bytes=None, **changes):
        given = {"source": source} if source else {}
        pipeline = bench.pipeline({**config, "data": {**config["data"], **given, **changes}}, store)
        pipeline.data = data
        with fits_here():
            return pipeline, pipeline.run(in_process_below_bytes=in_process_below_bytes)

    run.bench, run.first = bench, run()[1]
    return run


def _jsonl(table):
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def _written(kind, folder, table):
    """Writes the rows as another kind of source; returns the declaration."""
    target = folder / kind
    target.mkdir()
    if kind == "csv":
        pa.csv.write_csv(table, target / "rows.csv")
    elif kind == "jsonl":
        (target / "rows.jsonl").write_bytes(_jsonl(table.slice(0, 100)))
        (target / "rows.ndjson.gz").write_bytes(gzip.compress(_jsonl(table.slice(100))))
    elif kind == "hive":
        for year in range(2015, 2019):
            rows = table.filter(pa.compute.equal(table["year"], year)).drop_columns(["year"])
            (target / f"year={year}").mkdir()
            pq.write_table(rows, target / f"year={year}" / "part-0.parquet")
    elif kind == "many":
        for at in range(0, table.num_rows, 2):
            pq.write_table(table.slice(at, 2), target / f"part-{at:04}.parquet")
    elif kind == "carried":
        pq.write_table(_with_carried(table), target / "rows.parquet")
    return kind


def _with_carried(table):
    """Beside columns that are no features, and of types that no feature is made of."""
    ids = table["id"].to_pylist()
    return (
        table.append_column("tags", pa.array([[str(n), None][: n % 3] for n in ids]))
        .append_column("note", pa.array([bytes([n % 256]) for n in ids]))
        .append_column("owner_of", pa.array([{"name": str(n), "flats": [n]} for n in ids]))
        .append_column("big", pa.array([2**64 - 1 - n for n in ids], pa.uint64()))
    )


@pytest.mark.parametrize("kind", ["csv", "jsonl", "hive", "many", "carried"])
def test_another_kind_of_file_gives_the_same_result(place, table, kind):
    _, run = place(_written(kind, place.bench.folder, table))

    assert run.result_id == place.first.result_id
    assert run.spec_id != place.first.spec_id


def test_a_table_a_frame_and_a_dataset_give_the_same_result(place, table):
    frame = table.to_pandas()
    with warnings.catch_warnings():  # Ray's context sets its own deprecated field.
        warnings.simplefilter("ignore", DeprecationWarning)
        ray.data.DataContext.get_current()
    dataset = ray.data.from_arrow([table.slice(0, 150), table.slice(150)])

    for data in (table, frame, dataset):
        _, run = place(None, data=data)
        assert run.result_id == place.first.result_id
        assert run.envelope.source.startswith("data: ")
        (item,) = run.envelope.inputs
        assert (item.name, item.by) == ("table.parquet", "page_checksums")


def test_without_a_source_a_table_has_to_be_given(place):
    with pytest.raises(ConfigError, match=r"pipeline\.yaml:.*data: .*names no source") as caught:
        place(None)
    assert exit_code(caught.value) == 2


def test_a_query_gives_the_same_result_and_runs_again_without_the_database(
    place, table, monkeypatch, tmp_path
):
    path = tmp_path / "w.db"
    monkeypatch.setenv(VARIABLE, f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        table.to_pandas().to_sql("homes", connection, index=False)
    connection.close()
    source = {"sql": "SELECT * FROM homes", "url_env": VARIABLE}

    pipeline, run = place(source, columns={"owner": {"cast": "boolean"}})  # SQLite has 0 and 1.
    planned = pipeline.plan()
    path.unlink()

    assert run.result_id == place.first.result_id
    assert {stage.action for stage in planned.stages} == {"reuse"}
    assert run.spec.data.casts == {"owner": "boolean"}
    assert run.envelope.source == f"sql: {source['sql']} (url in {VARIABLE})"
    target = ObjectStore(tmp_path / "target")
    places = place_inputs(run.spec, pipeline.records.workspace.store, target, None)
    assert pq.read_metadata(places["query.parquet"]).num_rows == table.num_rows


@pytest.fixture
def warehouse(postgresql, table):
    engine = sqlalchemy.create_engine(postgresql, poolclass=sqlalchemy.NullPool)
    types = {"double": "float8", "int64": "int8", "string": "text", "bool": "bool"}
    names = table.column_names
    columns = ", ".join(f"{field.name} {types[str(field.type)]}" for field in table.schema)
    insert = f"INSERT INTO homes VALUES ({', '.join(':' + name for name in names)})"  # noqa: S608
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE TABLE homes ({columns})"))
        connection.execute(sqlalchemy.text(insert), table.to_pylist())
    yield postgresql
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE homes"))


def test_postgresql_gives_the_same_result_and_its_password_appears_nowhere(
    place, warehouse, monkeypatch
):
    monkeypatch.setenv(VARIABLE, warehouse)

    _, run = place({"sql": "SELECT * FROM homes", "url_env": VARIABLE}, in_process_below_bytes=0)

    assert run.result_id == place.first.result_id
    assert PASSWORD in warehouse
    for path in place.bench.folder.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


@pytest.fixture
def twenty(place, table):
    """Twenty files of which one is damaged in a page."""
    folder = place.bench.write(table, n_files=20, name="twenty")
    for path in folder.iterdir():
        pq.write_table(pq.read_table(path), path, write_page_checksum=True, compression="none")
    bad = folder / "part-7.parquet"
    content = bytearray(bad.read_bytes())
    content[60] ^= 1
    bad.write_bytes(content)
    return bad


def test_decimals_train_the_model_of_the_floats_that_their_digits_are(place, table):
    cents = [round(100 * value) for value in table["area"].to_pylist()]
    at = table.column_names.index("area")
    columns = {
        "cents": pa.array([Decimal(n).scaleb(-2) for n in cents]),
        "floats": pa.array([n / 100 for n in cents]),
    }
    runs = {}
    for kind, column in columns.items():
        (place.bench.folder / kind).mkdir()
        rows = table.set_column(at, "area", column)
        pq.write_table(rows, place.bench.folder / kind / "rows.parquet")
        runs[kind] = place(kind)[1].result

    assert runs["cents"].data.columns["area"] == "decimal"
    assert runs["cents"].model == runs["floats"].model
    assert runs["cents"].metrics == runs["floats"].metrics
    assert runs["cents"].data.fingerprint != runs["floats"].data.fingerprint


@pytest.mark.parametrize("limit", [0, None])
@pytest.mark.usefixtures("twenty")
def test_one_bad_file_of_twenty_fails_by_name(place, limit):
    with pytest.raises(SourceError, match=r"^part-7\.parquet: cannot read") as caught:
        place("twenty", in_process_below_bytes=limit)
    assert exit_code(caught.value) == 65


def test_or_it_is_left_out_and_the_record_says_so(place, twenty, table):
    runs = [
        place("twenty", on_bad_file="quarantine", in_process_below_bytes=limit)[1]
        for limit in (0, None)
    ]
    n_lost = pq.read_metadata(twenty).num_rows
    twenty.unlink()
    _, clean = place("twenty", on_bad_file="quarantine")

    for run in runs:
        (left_out,) = run.quarantined_files
        assert left_out.model_dump() == {
            "name": "part-7.parquet", "reason": "cannot read the Parquet file", "n_rows": n_lost,
        }  # fmt: skip
        assert run.to_json()["quarantined_files"][0]["n_rows"] == n_lost
        assert run.result.data.n_rows == table.num_rows - n_lost
    assert runs[0].result_id == runs[1].result_id
    assert clean.quarantined_files == []
    assert clean.result.data.fingerprint == runs[0].result.data.fingerprint
    assert clean.result_id != runs[0].result_id
