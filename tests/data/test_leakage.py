"""Each hint is given where the thing itself is planted, and not beside it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config.model import SplitConfig
from mlops_ray.data.described import described, hints_of
from mlops_ray.data.find_ids import find_ids
from mlops_ray.data.leakage import hints_to_bytes, read_hints
from mlops_ray.data.row_sample import MAX_ROWS, RowSample
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.source import find_files
from mlops_ray.data.split import SplitRows, assign_split
from mlops_ray.data.supervision import Supervision
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema

N_ROWS = 2000
SHARES = SplitConfig.model_validate({"test": {"share": 0.25}, "valid": {"share": 0.25}})


def table(n_rows=N_ROWS):
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "key": np.arange(n_rows),
            "x": rng.normal(size=n_rows),
            "plan": rng.choice(["a", "b", "c"], n_rows),
            "y": rng.integers(0, 3, n_rows),
        }
    )


def hinted(folder, rows, target="y", **written):
    """Kind and column of each hint, with the evidence."""
    pq.write_table(rows, folder / "in.parquet", **{"row_group_size": 300, **written})
    files = find_files(str(folder / "in.parquet"), folder)
    schema = read_schema(files)
    features = tuple(name for name in schema if name not in {"key", target})
    split = SplitRows(SHARES, ("key",), None, 4)
    plan = ScanPlan(schema, split, None, Supervision(target, features))
    units = list_units(files)
    found = find_ids(scan(units, plan, map_in_process), plan, units, map_in_process)
    hints = hints_of(found, described(found, plan.supervision, "train"))
    assert read_hints(hints_to_bytes(hints)) == hints
    return {(hint.kind, hint.column): hint.evidence for hint in hints}, hints


def test_clean_data_give_no_hint(tmp_path):
    assert hinted(tmp_path, table())[0] == {}


def y_of(rows):
    return rows["y"].to_numpy()


PLANTED = {
    "equals_target": lambda rows: rows["y"],
    "determines_target": lambda rows: pa.array([f"class {value}" for value in y_of(rows)]),
    "nearly_determines_target": lambda rows: pa.array(
        np.where(np.arange(N_ROWS) % 100 == 0, 9, y_of(rows) * 11)
    ),
    "linear_in_target": lambda rows: pa.array(y_of(rows) * 0.45359237 + 1.0),
    "id": lambda rows: pa.array([f"customer {key * 7919}" for key in rows["key"].to_pylist()]),
    "all_null": lambda rows: pa.array([None] * rows.num_rows, pa.float64()),
    "nearly_constant": lambda rows: pa.array([*([0] * (rows.num_rows - 1)), 1]),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_was_planted_is_told_with_its_column(tmp_path, kind):
    rows = table()

    found, hints = hinted(tmp_path, rows.append_column("planted", PLANTED[kind](rows)))

    assert list(found) == [(kind, "planted")]
    assert all(value > 0 for value in found[kind, "planted"].values())
    assert "planted" in str(hints[0])


def test_one_row_that_differs_is_no_equal_column(tmp_path):
    rows = table()
    split = SplitRows(SHARES, ("key",), None, 4)
    codes = assign_split(rows.select(["key"]), {"key": "integer"}, split)
    values = y_of(rows).copy()
    values[np.flatnonzero(codes == 0)[-1]] += 1  # The last row of train.

    found, _ = hinted(tmp_path, rows.append_column("planted", pa.array(values)))

    assert [kind for kind, _ in found] == ["nearly_determines_target"]


def test_an_id_with_one_repeated_value_is_none(tmp_path):
    rows = table()
    ids = [f"customer {at}" for at in range(N_ROWS)]
    ids[N_ROWS - 1] = ids[0]  # In another unit.

    assert hinted(tmp_path, rows.append_column("planted", pa.array(ids)))[0] == {}


@pytest.mark.parametrize("repeated", [False, True])
def test_an_id_of_more_values_than_are_counted_is_looked_at_again(tmp_path, repeated):
    n_rows = 24_000  # More than 10,000 integers in each part.
    rows = table(n_rows)
    ids = np.random.default_rng(1).permutation(n_rows) + 5 * 10**6
    if repeated:
        ids[-1] = ids[0]
    rows = rows.append_column("planted", pa.array(ids))

    found, _ = hinted(tmp_path, rows, row_group_size=8000)

    assert (("id", "planted") in found) is not repeated


def test_rows_of_test_that_stand_in_train_are_counted(tmp_path):
    rows = table()
    again = rows.slice(0, 400).set_column(0, "key", pa.array(np.arange(N_ROWS, N_ROWS + 400)))

    found, hints = hinted(tmp_path, pa.concat_tables([rows, again]))

    assert {column for kind, column in found if kind == "rows_in_train"} == {"valid", "test"}
    evidence = found["rows_in_train", "test"]
    # Of 400 pairs a quarter has its second row in test, of which half has its first in train; and
    # likewise the other way round.
    assert evidence["n_rows"] == pytest.approx(100, abs=35)
    assert evidence["n_looked_at"] == pytest.approx(600, abs=70)
    assert "also stand in train" in str(hints[-1])


def test_rows_with_another_target_are_no_duplicates(tmp_path):
    rows = table()
    again = rows.set_column(0, "key", pa.array(np.arange(N_ROWS, 2 * N_ROWS)))
    again = again.set_column(3, "y", pa.array((y_of(rows) + 1) % 3))

    assert hinted(tmp_path, pa.concat_tables([rows, again]))[0] == {}


def test_a_sample_holds_the_same_rows_of_every_table():
    rng = np.random.default_rng(6)
    hashes = rng.integers(0, 2**64, 200_000, dtype=np.uint64)
    train, test = hashes[:150_000], np.concatenate([hashes[140_000:150_000], hashes[150_000:]])
    parts = [RowSample.of(part) for part in np.array_split(train, 7)]

    whole = RowSample.of(train)

    assert RowSample.merged(parts) == whole
    assert RowSample.merged([RowSample.merged(parts[3:]), *parts[:3]]) == whole
    assert MAX_ROWS / 2 < whole.hashes.size <= MAX_ROWS
    own = RowSample.of(test).at_level(whole.level)
    assert own.n_rows_in(whole) == np.isin(own.hashes, train).sum()
    assert own.n_rows_in(whole) * 2**whole.level == pytest.approx(10_000, rel=0.1)
