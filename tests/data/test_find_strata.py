from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config.model import SplitConfig
from mlops_ray.data.find_strata import find_strata
from mlops_ray.data.source import find_files
from mlops_ray.data.split import SplitRows, assign_split
from mlops_ray.data.strata import strata_from_bytes
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError, ManifestError
from mlops_ray.manifest import canonical_bytes

N_ROWS = 6_000


def rows(kind="string", n_rows=N_ROWS, seed=0):
    """Classes of very different sizes, the rarest with 30 rows."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), [n_rows - 930, 900, 30])
    rng.shuffle(classes)
    target = {
        "string": [("no", "yes", None)[at] for at in classes],
        "integer": classes + 2**60,
        "boolean": (classes == 1).tolist(),
    }[kind]
    return pa.table({"k": rng.permutation(n_rows), "t": np.arange(n_rows) % 10, "y": target})


def split_of(salt=3, **rule):
    rule = {"test": {"share": 0.2}, "valid": {"share": 0.1}, "stratify": True} | rule
    return SplitRows(SplitConfig.model_validate(rule), ("k",), "t", salt, "y")


def settled(folder, table, split, n_files=1, row_group_size=None):
    """The split with its strata, found in files."""
    folder.mkdir()
    size = -(-table.num_rows // n_files)
    for at in range(n_files):
        part = table.slice(at * size, size)
        pq.write_table(part, folder / f"{at:02}.parquet", row_group_size=row_group_size)
    files = find_files(str(folder), folder)
    schema = read_schema(files)
    found = find_strata(schema, split, None, list_units(files), map_in_process)
    return replace(split, strata=found), schema


def counts_by_class(table, codes):
    target = np.array([str(value) for value in table["y"].to_pylist()])
    return {name: np.bincount(codes[target == name], minlength=3) for name in set(target)}


@pytest.mark.parametrize("kind", ["string", "integer", "boolean"])
def test_each_class_has_its_share_within_a_row_or_two(tmp_path, kind):
    table = rows(kind)
    split, schema = settled(tmp_path / "in", table, split_of())

    counts = counts_by_class(table, assign_split(table, schema, split))

    for train, valid, test in counts.values():
        n = train + valid + test
        assert test == pytest.approx(0.2 * n, abs=2)
        assert valid == pytest.approx(0.1 * n, abs=4)


def test_without_strata_the_rare_class_is_left_to_chance(tmp_path):
    table = rows()
    _, schema = settled(tmp_path / "in", table, split_of())
    worst = 0
    for salt in range(20):
        plain = assign_split(table, schema, split_of(salt, stratify=False))
        worst = max(worst, abs(counts_by_class(table, plain)["None"][2] - 6))

    assert worst > 2


def test_order_and_layout_change_nothing(tmp_path):
    table = rows()
    split, schema = settled(tmp_path / "one", table, split_of())
    order = np.random.default_rng(9).permutation(N_ROWS)
    shuffled, _ = settled(tmp_path / "many", table.take(order), split_of(), 17, 100)

    assert shuffled == split
    here, there = (assign_split(t, schema, split) for t in (table, table.take(order)))
    assert (there == here[order]).all()


def test_other_rows_move_the_bounds(tmp_path):
    split, _ = settled(tmp_path / "all", rows(), split_of())
    fewer, _ = settled(tmp_path / "fewer", rows().slice(0, N_ROWS // 2), split_of())

    assert fewer.strata != split.strata


def test_a_test_part_by_time_leaves_the_shares_to_the_other_rows(tmp_path):
    table = rows()
    split, schema = settled(tmp_path / "in", table, split_of(test={"time_from": 8}))

    codes = assign_split(table, schema, split)

    late = table["t"].to_numpy() >= 8
    assert (codes[late] == 2).all()
    early = table.filter(pa.array(~late))
    for train, valid, test in counts_by_class(early, codes[~late]).values():
        assert test == 0
        assert valid == pytest.approx(0.1 * (train + valid), abs=2)


def test_the_bounds_survive_their_document(tmp_path):
    for kind in ("string", "integer", "boolean"):
        split, _ = settled(tmp_path / kind, rows(kind), split_of())

        assert strata_from_bytes(canonical_bytes(split.strata.to_json())) == split.strata
    with pytest.raises(ManifestError, match="bounds of strata"):
        strata_from_bytes(b"{}")


def test_rows_of_an_unknown_class_are_refused(tmp_path):
    split, schema = settled(tmp_path / "in", rows(), split_of())
    other = pa.table({"k": [1], "t": [1], "y": ["maybe"]})

    with pytest.raises(ColumnError, match="1 rows of other classes"):
        assign_split(other, schema, split)


def test_too_many_classes_are_refused(tmp_path):
    table = pa.table({"k": np.arange(600), "t": np.zeros(600, int), "y": np.arange(600)})

    with pytest.raises(ColumnError, match=r"y: too many classes .* at most 256"):
        settled(tmp_path / "in", table, split_of(), 6)
