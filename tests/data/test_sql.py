import datetime as dt
import io
import sqlite3
import traceback
import tracemalloc
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy

from mlops_ray.data.snapshot_file import write_snapshot
from mlops_ray.data.sql import sql_rows
from mlops_ray.errors import ColumnError, ConfigError, SourceError

VARIABLE = "TEST_WAREHOUSE_URL"


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    path = tmp_path / "w.db"
    monkeypatch.setenv(VARIABLE, f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n INTEGER, x REAL, s TEXT)")
        rows = [(at, at / 4, None if at % 3 else f"t%{at}") for at in range(1000)]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    connection.close()
    return path


@pytest.fixture
def server(postgresql, monkeypatch):
    monkeypatch.setenv(VARIABLE, postgresql)
    return postgresql


def table_of(query):
    with sql_rows(query, VARIABLE) as rows:
        return pa.Table.from_batches(rows.batches, rows.schema)


@pytest.mark.usefixtures("sqlite")
def test_rows_come_in_order_with_the_types_that_the_values_show():
    found = table_of("SELECT n, x, s, NULL AS z FROM t WHERE s LIKE 't%' OR s IS NULL ORDER BY n")

    assert found.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.null()]
    assert found.num_rows == 1000
    assert found.slice(3, 2).to_pylist() == [
        {"n": 3, "x": 0.75, "s": "t%3", "z": None},
        {"n": 4, "x": 1.0, "s": None, "z": None},
    ]


@pytest.mark.usefixtures("sqlite")
def test_a_value_of_another_type_later_on_names_its_column(monkeypatch):
    monkeypatch.setattr("mlops_ray.data.sql._FETCH_ROWS", 100)
    query = "SELECT n, CASE WHEN n < 500 THEN n ELSE 'secret' END AS m FROM t ORDER BY n"

    with pytest.raises(ColumnError, match=r"^m: .*values of str, wanted int64.*cast") as caught:
        table_of(query)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "variable TEST_WAREHOUSE_URL is not set"),
        ("geheim", "variable TEST_WAREHOUSE_URL holds no SQLAlchemy URL"),
        ("nosuch://u:geheim@h/d", "TEST_WAREHOUSE_URL"),
        ("mysql+mysqldb://u:geheim@h/d", "driver that TEST_WAREHOUSE_URL asks for.*MySQLdb"),
    ],
)
def test_what_the_variable_holds_is_never_shown(monkeypatch, url, message):
    monkeypatch.delenv(VARIABLE, raising=False)
    if url:
        monkeypatch.setenv(VARIABLE, url)

    with pytest.raises(ConfigError, match=message) as caught:
        table_of("SELECT 1")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nosuch FROM t", "refuses the query: got OperationalError: no such column: nosuch"),
        ("CREATE TABLE u (x)", "returns no rows"),
    ],
)
@pytest.mark.usefixtures("sqlite")
def test_a_query_that_gives_nothing_says_why(query, message):
    with pytest.raises(SourceError, match=rf"^data\.source\.sql: .*{message}"):
        table_of(query)


@pytest.mark.parametrize(
    ("query", "state", "named"),
    [
        ("SELECT n::int FROM (VALUES ('O''Neil 4711')) t(n)", "22P02", "type integer: ..."),
        ("SELECT n::date FROM (VALUES ('4711-99-99 \"x\"')) t(n)", "22007", "type date: ..."),
        ("SELECT nosuch FROM (VALUES ('4711')) t(n)", "42703", 'column "nosuch" does not exist'),
    ],
)
@pytest.mark.usefixtures("server")
def test_postgresql_says_why_it_refuses_a_query_without_a_value_of_a_row(query, state, named):
    with pytest.raises(SourceError) as caught:
        table_of(query)

    told = "".join(traceback.format_exception(caught.value))
    assert state in told
    assert named in told
    assert "Neil" not in told
    assert "4711-99" not in told


@pytest.mark.usefixtures("server")
def test_postgresql_types_are_mapped_one_to_one():
    query = """
        SELECT 7::int2 AS i2, 8::int4 AS i4, 9223372036854775807::int8 AS i8, 0.5::float4 AS f4,
            0.1::float8 AS f8, true AS b, 'ä%'::text AS t, 'x'::varchar(3) AS v, 'y'::char(1) AS c,
            12345678901234567.89::numeric(19, 2) AS d, DATE '0001-01-01' AS da,
            TIMESTAMP '2018-07-01 12:00:00.123456' AS ts,
            TIMESTAMPTZ '2018-07-01 12:00:00+02' AS tz
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL::numeric(19, 2), NULL,
            NULL, NULL"""

    found = table_of(query)

    assert {field.name: field.type for field in found.schema} == {
        "i2": pa.int16(), "i4": pa.int32(), "i8": pa.int64(), "f4": pa.float32(),
        "f8": pa.float64(), "b": pa.bool_(), "t": pa.string(), "v": pa.string(), "c": pa.string(),
        "d": pa.decimal128(19, 2), "da": pa.date32(), "ts": pa.timestamp("us"),
        "tz": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    noon = dt.datetime(2018, 7, 1, 12, 0, 0, 123456)  # noqa: DTZ001 - a timestamp without zone
    assert list(found.to_pylist()[0].values()) == [
        7, 8, 2**63 - 1, 0.5, 0.1, True, "ä%", "x", "y", Decimal("12345678901234567.89"),
        dt.date(1, 1, 1), noon, dt.datetime(2018, 7, 1, 10, tzinfo=dt.UTC),
    ]  # fmt: skip
    assert set(found.to_pylist()[1].values()) == {None}


@pytest.mark.usefixtures("server")
def test_the_session_time_zone_does_not_show(monkeypatch):
    query = "SELECT TIMESTAMPTZ '2018-01-01 00:00:00+00' AS t"
    expected = table_of(query)

    monkeypatch.setenv("PGTZ", "America/St_Johns")

    assert table_of("SELECT current_setting('TimeZone') AS z").to_pylist() == [
        {"z": "America/St_Johns"}
    ]
    assert table_of(query) == expected


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("1.5::numeric", "numeric without precision.*::numeric"),
        ("1.5::numeric(99, 2)", "at most 76 digits"),
        ("'{}'::jsonb", "type number 3802.*::text"),
        ("ARRAY[1]", "type number 1007"),
        ("'NaN'::numeric(5, 2)", "does not fit"),
    ],
)
@pytest.mark.usefixtures("server")
def test_what_cannot_be_mapped_exactly_is_refused_by_column(expression, what):
    with pytest.raises(ColumnError, match=rf"^amount: .*{what}"):
        table_of(f"SELECT {expression} AS amount")


def test_a_query_cannot_change_the_database(server):
    engine = sqlalchemy.create_engine(server, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE SEQUENCE kept"))

    with pytest.raises(SourceError, match=r"ReadOnlySqlTransaction 25006: cannot execute nextval"):
        table_of("SELECT nextval('kept') AS n")
    assert table_of("SELECT is_called AS x FROM kept").to_pylist() == [{"x": False}]


@pytest.mark.parametrize(
    ("old", "new"), [("planted-Sesam-4711", "planted-wrong-1"), ("/postgres", "/nosuch")]
)
def test_a_refused_connection_shows_nothing_of_the_url(server, monkeypatch, old, new):
    monkeypatch.setenv(VARIABLE, server.replace(old, new))

    with pytest.raises(SourceError, match=f"cannot connect.*in {VARIABLE}") as caught:
        table_of("SELECT 1")
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__}"
    assert not [word for word in ("planted", "analyst", "127.0.0.1", "nosuch") if word in shown]


@pytest.mark.usefixtures("server")
def test_a_large_result_is_streamed_in_bounded_memory():
    """Rows that would take 45 MB as Python objects pass through less than a third of that."""
    query = "SELECT n, n * 0.5::float8 AS x, 'row ' || n AS s FROM generate_series(1, 200000) AS n"
    tracemalloc.start()
    try:
        sink = io.BytesIO()
        with sql_rows(query, VARIABLE) as rows:
            write_snapshot(rows, sink)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    file = pq.ParquetFile(sink)
    assert (file.metadata.num_rows, file.num_row_groups) == (200_000, 2)
    assert file.read_row_group(1).column("n")[-1].as_py() == 200_000
    assert peak - len(sink.getvalue()) < 15_000_000
