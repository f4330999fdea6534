import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.config.model import SplitConfig
from mlops_ray.data.split import SplitRows, assign_split
from mlops_ray.errors import ColumnError

N_ROWS = 50_000


def split_rows(test, valid, salt=1, key=("k",), time="t", **more):
    rule = SplitConfig.model_validate({"test": test, "valid": valid, **more})
    return SplitRows(rule, key, time, salt, target="y")


def shares(codes):
    return np.bincount(codes, minlength=3) / len(codes)


def table(n_rows=N_ROWS):
    return pa.table({"k": np.arange(n_rows), "t": np.arange(n_rows) % 10})


SCHEMA = {"k": "integer", "t": "integer"}


def test_shares_come_out_within_sampling_error():
    codes = assign_split(table(), SCHEMA, split_rows({"share": 0.3}, {"share": 0.2}))

    assert shares(codes) == pytest.approx([0.5, 0.2, 0.3], abs=0.01)


def test_a_row_keeps_its_part_among_any_others():
    split = split_rows({"share": 0.3}, {"share": 0.2})
    whole = assign_split(table(), SCHEMA, split)

    shuffled = np.random.default_rng(0).permutation(N_ROWS)[:100]

    assert (assign_split(table().take(shuffled), SCHEMA, split) == whole[shuffled]).all()


def test_a_smaller_test_share_moves_no_row_into_it():
    larger = assign_split(table(), SCHEMA, split_rows({"share": 0.3}, {"share": 0.2}))
    smaller = assign_split(table(), SCHEMA, split_rows({"share": 0.1}, {"share": 0.2}))

    assert (larger[smaller == 2] == 2).all()


def test_rows_of_one_key_stay_together_and_another_salt_deals_anew():
    keys = pa.table({"k": np.repeat(np.arange(1000), 5)})
    one = assign_split(keys, SCHEMA, split_rows({"share": 0.3}, {"share": 0.2}))
    other = assign_split(keys, SCHEMA, split_rows({"share": 0.3}, {"share": 0.2}, salt=2))

    assert (one.reshape(-1, 5) == one[::5, np.newaxis]).all()
    assert (one != other).mean() == pytest.approx(1 - 0.5**2 - 0.2**2 - 0.3**2, abs=0.06)


def test_time_takes_the_test_rows_first_and_shares_divide_the_rest():
    codes = assign_split(table(), SCHEMA, split_rows({"time_from": 8}, {"share": 0.5}))

    late = np.arange(N_ROWS) % 10 >= 8
    assert (codes[late] == 2).all()
    assert shares(codes[~late]) == pytest.approx([0.5, 0.5, 0], abs=0.01)


def test_valid_may_go_by_time_and_needs_no_key():
    rows = split_rows({"time_from": 8}, {"time_from": 7}, key=())

    codes = assign_split(table(10), SCHEMA, rows)

    assert codes.tolist() == [0] * 7 + [1, 2, 2]


@pytest.mark.parametrize(
    ("dtype", "values", "start"),
    [
        ("string", ["2017-12", "2018-01"], "2018"),
        ("date", [dt.date(2017, 12, 31), dt.date(2018, 1, 1)], "2018-01-01"),
        ("timestamp", [dt.date(2017, 12, 31), dt.date(2018, 1, 1)], "2018-01-01T00:00:00"),
        ("float", [0.5, 1.5], 1),
        ("integer", [2**62, 2**62 + 1], 2**62 + 1),
    ],
)
def test_times_of_every_type_are_compared(dtype, values, start):
    column = pa.array(values)
    if dtype == "timestamp":
        column = column.cast(pa.timestamp("us"))
    rows = split_rows({"time_from": start}, {"time_from": start}, key=())

    assert assign_split(pa.table({"t": column}), {"t": dtype}, rows).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("dtype", "start"), [("integer", "2018"), ("date", 2018), ("date", "soon"), ("boolean", 1)]
)
def test_a_start_that_cannot_be_compared_is_refused(dtype, start):
    column = {"integer": pa.array([1]), "boolean": pa.array([True])}.get(
        dtype, pa.array([dt.date(2018, 1, 1)])
    )
    rows = split_rows({"time_from": start}, {"time_from": start})

    with pytest.raises(ColumnError, match="time_from"):
        assign_split(pa.table({"t": column}), {"t": dtype}, rows)


def test_nulls_that_would_decide_are_counted_and_refused():
    keys = pa.table({"k": [1, None, 3], "t": [1.0, float("nan"), None]})
    schema = {"k": "integer", "t": "float"}

    with pytest.raises(ColumnError, match=r"k: the key column .* 1 nulls in 3 rows"):
        assign_split(keys, schema, split_rows({"share": 0.1}, {"share": 0.1}))
    with pytest.raises(ColumnError, match=r"t: the time column .* 2 nulls in 3 rows"):
        assign_split(keys, schema, split_rows({"time_from": 1}, {"time_from": 0}))


def test_a_group_never_straddles_parts_whatever_the_key():
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 2000, N_ROWS)
    rows = pa.table({"k": np.arange(N_ROWS), "g": groups})
    split = split_rows({"share": 0.3}, {"share": 0.2}, group="g")
    schema = {"k": "integer", "g": "integer"}

    codes = assign_split(rows, schema, split)

    parts = {}
    for group, code in zip(groups.tolist(), codes.tolist(), strict=True):
        parts.setdefault(group, set()).add(code)
    assert all(len(found) == 1 for found in parts.values())
    assert shares(codes) == pytest.approx([0.5, 0.2, 0.3], abs=0.04)
    by_key = assign_split(rows, schema, split_rows({"share": 0.3}, {"share": 0.2}))
    assert (by_key != codes).any()  # The twin: rows of a group go to several parts by their keys.


def test_a_null_group_is_refused():
    rows = pa.table({"k": [1, 2], "g": ["a", None]})

    with pytest.raises(ColumnError, match=r"g: the group column .* 1 nulls in 2 rows"):
        assign_split(
            rows,
            {"k": "integer", "g": "string"},
            split_rows({"share": 0.1}, {"share": 0.1}, group="g"),
        )
