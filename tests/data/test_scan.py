import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.config.model import SplitConfig
from mlops_ray.data.scan import ALL, ScanPlan, scan
from mlops_ray.data.scan_result import Scan
from mlops_ray.data.source import find_files
from mlops_ray.data.split import SplitRows
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import SourceError

RNG = np.random.default_rng(3)
TABLE = pa.table(
    {
        "k": np.arange(1000),
        "x": pa.array(RNG.normal(size=1000), mask=RNG.random(1000) < 0.1),
        "s": RNG.choice(["a", "b", "c"], 1000),
    }
)
RULE = SplitConfig.model_validate({"test": {"share": 0.3}, "valid": {"share": 0.2}})
SPLIT = SplitRows(RULE, ("k",), None, 5)


def scanned(*files, split=SPLIT):
    return scan(list_units(files), ScanPlan(read_schema(files), split), map_in_process)


def test_cuts_order_format_and_encoding_of_the_rows_do_not_show(write_parquet, write_csv):
    one = scanned(write_parquet("one.parquet", TABLE))

    shuffled = TABLE.take(RNG.permutation(1000)).select(["s", "k", "x"])
    halves = [
        write_parquet("a.parquet", shuffled.slice(0, 100)),
        write_parquet("b.parquet", shuffled.slice(100)),
    ]
    header, *lines = TABLE.to_pandas().to_csv(index=False, float_format=None).splitlines()
    text = write_csv("c.csv", "\n".join([header, *lines]))
    for other in (scanned(*halves), scanned(text)):
        assert other.fingerprint == one.fingerprint
        assert other.profiles == one.profiles
        assert other.membership == one.membership


def test_one_changed_cell_changes_the_fingerprint_and_its_part_alone(write_parquet):
    one = scanned(write_parquet("one.parquet", TABLE))
    rows = TABLE.to_pylist()
    rows[17]["s"] = "d"

    other = scanned(write_parquet("other.parquet", pa.Table.from_pylist(rows, TABLE.schema)))

    assert other.fingerprint != one.fingerprint
    assert sum(other.membership[part] != one.membership[part] for part in one.membership) == 1


def test_statistics_are_those_of_each_part(write_parquet):
    found = scanned(write_parquet("one.parquet", TABLE))

    counts = {part: profile.n_rows for part, profile in found.profiles.items()}
    assert sum(counts.values()) == found.n_rows == 1000
    assert counts["test"] / 1000 == pytest.approx(0.3, abs=0.05)
    means = [found.profiles[part].columns["x"].sums.mean for part in counts]
    assert len(set(means)) == 3


def test_without_a_split_there_is_one_group_with_the_same_fingerprint(write_parquet):
    file = write_parquet("one.parquet", TABLE)

    found = scanned(file, split=None)

    assert found.fingerprint == scanned(file).fingerprint
    values = TABLE["x"].drop_null().to_numpy()
    assert found.profiles[ALL].columns["x"].sums.mean == pytest.approx(values.mean(), rel=1e-15)


def test_no_units_are_refused():
    with pytest.raises(SourceError, match="no rows"):
        scan([], ScanPlan({"x": "float"}, None), map_in_process)


def test_files_without_rows_are_refused_and_one_beside_others_is_not(write_parquet):
    empty, full = write_parquet("a.parquet", TABLE.slice(0, 0)), write_parquet("b.parquet", TABLE)

    assert scanned(empty, full).fingerprint == scanned(full).fingerprint
    with pytest.raises(SourceError, match="no rows: got 0 rows in"):
        scanned(empty)


def test_the_census_scans_whole(census):
    found = scanned(*find_files(str(census), census), split=None)

    assert found.n_rows == 277_677
    assert not any(column.n_null for column in found.profiles[ALL].columns.values())


def test_a_scan_comes_back_whole_from_its_bytes(write_parquet):
    found = scanned(write_parquet("one.parquet", TABLE))

    read = Scan.from_bytes(found.to_bytes())

    assert read == found
    assert read.to_bytes() == found.to_bytes()


def test_a_hundred_thousand_categories_are_counted_however_the_rows_are_cut(write_parquet):
    codes = np.r_[np.arange(100_000), RNG.integers(0, 100_000, 20_000)]
    texts = pa.array([f"{code:x}" for code in RNG.permutation(codes)])
    table = pa.table({"k": np.arange(len(texts)), "s": texts})

    one = scanned(write_parquet("one.parquet", table), split=None)
    parts = [write_parquet(f"{at}.parquet", table.slice(at * 50_000, 50_000)) for at in range(3)]
    other = scanned(*parts, split=None)
    parts = [write_parquet(f"m{at}.parquet", table.slice(at * 3_000, 3_000)) for at in range(40)]
    many = scanned(*parts, split=None)

    counts = one.profiles[ALL].columns["s"].counts
    assert (counts.n_distinct, int(counts.rows.sum())) == (100_000, 120_000)
    assert other.to_bytes() == one.to_bytes()
    assert many.to_bytes() == one.to_bytes()  # Combined on the way.
