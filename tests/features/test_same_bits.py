"""Arrow and JSON give the same bits, alone and among others, for a state with every step."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ray.features import CompiledTransform, FeatureState
from mlops_ray.features.steps import DECLARABLE
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

TYPES = {
    "f": pa.float64(), "g": pa.float64(), "h": pa.float64(), "i": pa.int64(), "b": pa.bool_(),
    "s": pa.string(), "t": pa.string(), "u": pa.string(), "v": pa.string(), "n": pa.int64(),
    "w": pa.bool_(), "at": pa.timestamp("us"), "day": pa.date32(),
}  # fmt: skip


def group(columns, *steps):
    return {"columns": columns.split(), "steps": list(steps)}


GROUPS = [
    group("f", {"impute": {"strategy": "median", "indicator": True}}, "standardize"),
    group(
        "g", {"clip": [-1e6, 1e6]}, {"power": {"method": "yeo_johnson", "lambda": 0.4}}, "robust"
    ),
    group("h", {"impute": "mean"}, {"bins": {"quantiles": 4, "encode": "one_hot"}}),
    group("i", {"impute": "mode"}, {"min_max": "clip"}),
    group("b", "standardize"),
    group("s", {"one_hot": {"null": "category"}}),
    group("t", {"rare": 3}, "frequency", "standardize"),
    group("u", {"hashing": 11}),
    group("v", {"impute": {"value": "a"}}, {"target": {"smoothing": 2, "folds": 3}}),
    group("n", "ordinal"),
    group("w", "one_hot"),
    group("at", {"date_parts": {"parts": ["year", "weekend"], "cycles": ["month", "hour"]}}),
    group("day", {"date_parts": ["day_of_year"]}),
    group("f g", {"impute": {"value": 0.0}}, {"interactions": 2}),
    group(
        "f i", {"expression": {"name": "e", "formula": "where(i > 3, exp(-abs(f)), fill(f, 1))"}}
    ),
    group("h i", {"expression": {"name": "l", "formula": "log(abs(h) + abs(i) + 1)"}}, "log"),
]
TEXTS = ["", "a", "b", "é", "long " * 5]


def rows_of(n, seed):
    """Rows with nulls, and with values that the first of them do not have."""
    rng = np.random.default_rng(seed)
    start = dt.datetime(1999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - without a zone
    rows = []
    for at in range(n):
        late = at > 300
        row = {
            **{name: float(rng.lognormal(0, 2) * rng.choice([-1, 1])) for name in "fgh"},
            "i": int(rng.integers(-3, 9)),
            "n": int(rng.choice([1, 5, 2**60, 2**60 + 1, 7 if late else 5])),
            **{name: bool(rng.random() < 0.4) for name in "bw"},
            **{name: str(rng.choice([*TEXTS, "new"] if late else TEXTS)) for name in "stuv"},
            "at": start + dt.timedelta(seconds=int(rng.integers(-(10**9), 10**9))),
            "day": start.date() + dt.timedelta(days=int(rng.integers(-9999, 9999))),
        }
        rows.append({k: None if rng.random() < 0.08 else v for k, v in row.items()})
    return rows


ROWS = rows_of(1400, 5)


def table_of(rows):
    return pa.Table.from_pylist(rows, pa.schema(TYPES))


def record_of(row):
    """A row as JSON gives it."""
    return json.loads(json.dumps({name: _told(value) for name, value in row.items()}))


def _told(value):
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


def bits(matrix):
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    return matrix.view(np.uint32).tolist()


@pytest.fixture(scope="module")
def transform(tmp_path_factory, bench_of):
    """Fitted to the first rows."""
    table = table_of(ROWS[:300])
    n = table.num_rows
    table = table.append_column("k", pa.array(np.arange(n)))
    table = table.append_column("y", pa.array(np.arange(n) % 2))
    bench = bench_of(tmp_path_factory.mktemp("rows"))
    return CompiledTransform(bench.fit(GROUPS, table, labels=(0, 1)))


def test_every_step_is_in_it(transform):
    used = {step.name for feature in transform.state.features for step in feature.steps}
    assert used | {"is_null"} >= DECLARABLE - {"function"}


def test_tables_records_and_columns_give_the_same_bits(transform):
    wanted = bits(transform.from_table(table_of(ROWS)))

    assert bits(transform.from_records([record_of(row) for row in ROWS])) == wanted
    columns = {name: [row[name] for row in ROWS] for name in TYPES}
    assert bits(transform.from_columns(columns)) == wanted


@pytest.mark.parametrize("n_others", [0, 1, 2, 7, 31, 1000])
def test_a_row_has_the_same_bits_in_any_company(transform, n_others):
    wanted = bits(transform.from_table(table_of(ROWS)))
    for at in range(0, len(ROWS), 100 if n_others < 1000 else 600):
        company = [*ROWS[:n_others], ROWS[at]]
        assert bits(transform.from_table(table_of(company)))[-1] == wanted[at]
        assert bits(transform.from_records([*map(record_of, company)]))[-1] == wanted[at]


def test_rows_beyond_one_chunk_are_those_of_small_tables(transform):
    table = table_of(ROWS)
    many = pa.concat_tables([table] * 13)  # More than two chunks of 8,192.

    assert bits(transform.from_table(many)) == bits(transform.from_table(table)) * 13


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_order_of_keys_and_columns_is_irrelevant(transform, data):
    row = ROWS[data.draw(st.integers(0, len(ROWS) - 1))]
    order = data.draw(st.permutations(list(TYPES)))
    turned = {name: row[name] for name in order}

    assert bits(transform.from_records([record_of(turned)])) == bits(
        transform.from_table(table_of([row]).select(order))
    )


FINITE = st.floats(-1e30, 1e30)
CELLS = {
    **dict.fromkeys("fgh", FINITE | st.integers(-(10**15), 10**15).map(float)),
    "i": st.integers(-(2**63), 2**63 - 1), "n": st.integers(-(2**63), 2**63 - 1),
    **dict.fromkeys("bw", st.booleans()),
    **dict.fromkeys("stuv", st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
    "at": st.datetimes(), "day": st.dates(),
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()}))
def test_any_row_has_the_same_bits_by_both_ways(transform, row):
    table, record = table_of([row]), record_of(row)
    outcomes = []
    for run in (lambda: transform.from_table(table), lambda: transform.from_records([record])):
        try:
            outcomes.append(bits(run()))
        except ValueError as error:  # Too large for float32: by both ways the same.
            outcomes.append((str(error), error.where.key))
    assert outcomes[0] == outcomes[1]


def test_time_zones_are_turned_to_utc_by_both_ways(transform):
    zoned = dt.datetime(2020, 1, 1, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    row = {**ROWS[0], "at": zoned}
    plain = {**row, "at": dt.datetime(2019, 12, 31, 22, 30)}  # noqa: DTZ001 - without a zone
    at = pa.array([zoned], pa.timestamp("us", "Europe/Zurich"))
    table = table_of([plain]).drop_columns("at").append_column("at", at)

    wanted = bits(transform.from_table(table_of([plain])))
    assert bits(transform.from_table(table)) == wanted
    assert bits(transform.from_records([record_of(row)])) == wanted


def dense_bits(csr):
    """Bits of a sparse matrix, which is canonical and holds no 0.0."""
    assert csr.has_canonical_format
    assert (csr.data.view(np.uint32) != 0).all()
    dense = np.zeros(csr.shape, np.float32)
    dense[np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr)), csr.indices] = csr.data
    return bits(dense)


def test_the_sparse_matrix_has_the_bits_of_the_dense_one(transform):
    table = pa.concat_tables([table_of(ROWS)] * 7)  # Two chunks of 8,192.
    records = [record_of(row) for row in ROWS[:50]]
    folds = np.random.default_rng(0).integers(0, 2**63, table.num_rows).astype(np.uint64)

    assert dense_bits(transform.csr_from_table(table)) == bits(transform.from_table(table))
    encoded = transform.csr_from_table(table, folds)
    assert dense_bits(encoded) == bits(transform.from_table(table, folds))
    assert dense_bits(transform.csr_from_records(records)) == bits(transform.from_records(records))


def test_no_rows_are_no_features(transform):
    width = len(transform.state.outputs)

    assert transform.from_records([]).shape == transform.csr_from_records([]).shape == (0, width)
    assert transform.from_table(table_of([])).shape == (0, width)
    assert transform.csr_from_table(table_of([])).shape == (0, width)


def test_a_written_state_gives_the_same_bits(transform):
    document = canonical_bytes(transform.state.to_json())

    read = FeatureState.from_json(from_canonical(document))

    assert canonical_bytes(read.to_json()) == document
    assert read == transform.state
    table = table_of(ROWS)
    assert bits(CompiledTransform(read).from_table(table)) == bits(transform.from_table(table))
