"""Associations against other libraries, and the same bits in every grouping of the rows."""

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import pearsonr
from scipy.stats.contingency import association as scipy_association
from sklearn.metrics import mutual_info_score, roc_auc_score

from mlops_ray.data.association import Association
from mlops_ray.data.described import described
from mlops_ray.data.scan import ALL, ScanPlan, scan
from mlops_ray.data.scan_result import Scan
from mlops_ray.data.source import find_files
from mlops_ray.data.supervision import Supervision
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.manifest import canonical_bytes, from_canonical

N_ROWS = 4000


def columns(seed=0):
    """Features of every type with a link to the classes `y`, and a twin without one."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, N_ROWS)
    x = rng.normal(y * 0.8, 1.0) * 10.0 ** rng.integers(0, 2)
    words = np.array(["a", "b", "c", "dd"], dtype=object)
    city = words[np.clip(rng.integers(0, 3, N_ROWS) + y, 0, 3)]
    city[rng.random(N_ROWS) < 0.1] = None
    days = rng.integers(0, 3000, N_ROWS) + 1500 * y
    return {
        "x": pa.array(x, mask=rng.random(N_ROWS) < 0.2),
        "i": pa.array(rng.poisson(3 + 2 * y)),
        "wide": pa.array(rng.integers(0, 10**6, N_ROWS) + 300_000 * y),
        "far": pa.array(np.where(rng.random(N_ROWS) < 0.5, 7, 2**40) + y),
        "city": pa.array(city, pa.string()),
        "many": pa.array([f"w{at}" for at in rng.integers(0, 3000, N_ROWS)]),
        "flag": pa.array(rng.random(N_ROWS) < 0.3 + 0.4 * y),
        "day": pa.array([dt.date(2000, 1, 1) + dt.timedelta(int(at)) for at in days]),
        "at": pa.array(days * 86_400_000_000, pa.timestamp("us")),
        "noise": pa.array(rng.normal(size=N_ROWS)),
        "y": pa.array(y),
        "label": pa.array(np.where(y == 1, "yes", "no")),
        "price": pa.array(3.0 * x + rng.normal(size=N_ROWS)),
    }


TABLE = pa.table(columns())


def scanned(folder, table, target, n_files=1, features=None, **written):
    folder.mkdir(parents=True)
    size = -(-table.num_rows // n_files)
    for at in range(n_files):
        pq.write_table(table.slice(at * size, size), folder / f"{at}.parquet", **written)
    files = find_files(str(folder), folder)
    schema = read_schema(files)
    others = features or tuple(name for name in schema if name != target)
    roles = Supervision(target, others)
    found = scan(list_units(files), ScanPlan(schema, None, None, roles), map_in_process)
    return found, roles


def associations(folder, table, target, **more):
    found, roles = scanned(folder, table, target, **more)
    return described(found, roles, ALL).associations


@pytest.fixture(scope="module")
def with_y(tmp_path_factory):
    return associations(tmp_path_factory.mktemp("a") / "in", TABLE, "y")


@pytest.mark.parametrize("target", ["y", "label", "price", "day", "many", "flag"])
def test_the_counts_are_the_same_however_the_rows_are_grouped(tmp_path, target):
    whole, roles = scanned(tmp_path / "one", TABLE, target)
    order = np.random.default_rng(8).permutation(N_ROWS)
    cut, _ = scanned(tmp_path / "cut", TABLE.take(order), target, 19, row_group_size=50)

    assert cut.beside == whole.beside
    assert described(cut, roles, ALL) == described(whole, roles, ALL)
    assert Scan.from_bytes(whole.to_bytes()) == whole
    assert cut.to_bytes() == whole.to_bytes()


def test_one_changed_cell_changes_the_counts(tmp_path):
    whole, _ = scanned(tmp_path / "one", TABLE, "y")
    flags = TABLE["flag"].to_pylist()
    flags[3] = not flags[3]
    at = TABLE.column_names.index("flag")

    other, _ = scanned(tmp_path / "two", TABLE.set_column(at, "flag", pa.array(flags)), "y")

    joints, others = whole.beside[ALL].joints, other.beside[ALL].joints
    assert [name for name in joints if joints[name] != others[name]] == ["flag"]


def test_pearson_is_exact_and_leaves_rows_without_a_value_out(tmp_path, with_y):
    x, y = TABLE["x"].to_numpy(), TABLE["y"].to_numpy()
    there = ~np.isnan(x)

    assert with_y["x"].pearson == pytest.approx(pearsonr(x[there], y[there])[0], abs=1e-6)
    with_price = associations(tmp_path / "in", TABLE, "price")
    price = TABLE["price"].to_numpy()
    assert with_price["i"].pearson == pytest.approx(pearsonr(TABLE["i"], price)[0], abs=1e-6)
    assert with_price["x"].pearson == pytest.approx(pearsonr(x[there], price[there])[0], abs=1e-6)


def test_pearson_survives_values_of_all_sizes(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=500) * 10.0 ** rng.integers(-300, 140, 500)
    table = pa.table({"x": x + 0.0, "y": x * 2.0, "z": -x})

    found = associations(tmp_path / "in", table, "y")

    assert (found["x"].pearson, found["z"].pearson) == (1.0, -1.0)


def test_auc_is_that_of_scikit_learn(with_y):
    y = TABLE["y"].to_numpy()
    assert with_y["i"].auc == pytest.approx(roc_auc_score(y, TABLE["i"].to_numpy()), abs=1e-6)
    x = TABLE["x"].to_numpy()
    there = ~np.isnan(x)
    # Values of one bucket are ties.
    assert with_y["x"].auc == pytest.approx(roc_auc_score(y[there], x[there]), abs=2e-3)
    days = [(day - dt.date(1970, 1, 1)).days for day in TABLE["day"].to_pylist()]
    assert with_y["day"].auc == pytest.approx(roc_auc_score(y, days), abs=2e-3)
    assert with_y["city"].auc is None


def test_cramers_v_and_entropy_are_those_of_other_libraries(with_y):
    y = TABLE["y"].to_numpy()
    city = np.array([str(value) for value in TABLE["city"].to_pylist()])
    codes = np.unique(city, return_inverse=True)[1]
    table = np.zeros((5, 2), dtype=int)
    np.add.at(table, (codes, y), 1)

    r, c, n = 5, 2, N_ROWS
    plain = scipy_association(table, method="cramer")
    corrected = max(0.0, plain**2 * (min(r, c) - 1) - (r - 1) * (c - 1) / (n - 1))
    sides = [size - (size - 1) ** 2 / (n - 1) for size in (r, c)]
    assert with_y["city"].cramers_v == pytest.approx(
        math.sqrt(corrected / (min(sides) - 1)), abs=1e-6
    )
    expected = mutual_info_score(city, y) / mutual_info_score(y, y)
    assert with_y["city"].explained == pytest.approx(expected, abs=1e-6)


def test_only_what_is_linked_is_associated(with_y):
    assert with_y["noise"].cramers_v < 0.05
    assert with_y["noise"].auc < 0.53
    for name in ("x", "i", "wide", "far", "city", "flag", "day", "at"):
        assert with_y[name].cramers_v > 0.1, name


def test_a_link_without_order_or_line_is_seen(tmp_path):
    rng = np.random.default_rng(2)
    x = rng.normal(size=N_ROWS)
    table = pa.table({"x": x, "y": np.abs(x) > 1.0, "gone": pa.array(x, mask=np.abs(x) > 1.0)})

    found = associations(tmp_path / "in", table, "y")

    assert abs(found["x"].pearson) < 0.1
    assert found["x"].cramers_v > 0.9
    assert found["gone"].explained == 1.0  # The nulls alone tell.


def test_labels_and_numbers_of_two_classes_are_the_same_target(tmp_path, with_y):
    by_label = associations(tmp_path / "in", TABLE, "label")

    assert by_label["x"].auc == with_y["x"].auc
    assert by_label["city"] == with_y["city"]
    assert by_label["x"].pearson is None  # A text is no number.


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ([1.0, 2.0, None], [None, None, None]),
        ([None, None, None], [0, 1, 1]),
        ([1.0, 1.0, 1.0], [0, 1, 1]),
        ([float("nan"), float("inf"), 1e300], [0, 1, 1]),
        ([1.0, 2.0, 3.0], [5, 5, 5]),
    ],
)
def test_what_cannot_be_measured_is_none_and_no_error(tmp_path, column, target):
    table = pa.table({"x": pa.array(column, pa.float64()), "y": pa.array(target, pa.int64())})

    found = associations(tmp_path / "in", table, "y")["x"]

    assert found.pearson is None
    assert found.cramers_v is None or 0.0 <= found.cramers_v <= 1.0


def test_an_empty_part_adds_nothing(tmp_path):
    whole, roles = scanned(tmp_path / "one", TABLE, "y")
    empty, _ = scanned(tmp_path / "two", pa.concat_tables([TABLE, TABLE.slice(0, 0)]), "y")

    assert described(empty, roles, ALL) == described(whole, roles, ALL)


def test_the_document_keeps_the_measures(tmp_path):
    found, roles = scanned(tmp_path / "in", TABLE, "y")
    profile = described(found, roles, ALL)

    written = canonical_bytes(profile.to_json())

    read = type(profile).from_json(from_canonical(written))
    assert read.associations == profile.associations
    assert (read.target, read.hints) == (profile.target, profile.hints)
    value = Association(1.0, 1.0, None, -1.0, 2, is_equal=True, is_determined=True)
    assert Association.from_json(from_canonical(canonical_bytes(value.to_json()))) == value
    assert len(written) < 40_000
