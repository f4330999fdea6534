from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.config.model import SplitConfig
from mlops_ray.data import classes
from mlops_ray.data.cells import decode
from mlops_ray.data.classes import classes_of
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.split import SplitRows
from mlops_ray.data.supervision import Supervision
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema

N_ROWS = 3 * 4 * 2**13  # Enough for 4 classes in 3 parts.
RULE = SplitConfig.model_validate({"test": {"share": 0.3}, "valid": {"share": 0.3}})


def classes_in(values, dtype, n_rows=N_ROWS):
    kind = pa.int64() if dtype == "integer" else None
    tiled = pa.array([values[at % len(values)] for at in range(n_rows)], kind)
    return classes_of(decode(tiled, dtype), n_rows, 3)


@pytest.mark.parametrize(
    ("values", "dtype", "n"),
    [
        ([1, 0], "integer", 2),
        ([7, None, -5], "integer", 3),
        ([True, False, None], "boolean", 3),
        ([0.5, -0.0, 0.0, 2.0], "float", 3),
        (["a", None, "b", "c"], "string", 4),
    ],
)
def test_rows_of_one_value_are_of_one_class(values, dtype, n):
    found = classes_in(values, dtype)

    assert found.n == n
    one = dict.fromkeys(values)  # -0.0 is 0.0.
    pairs = {(values[at % len(values)], int(code)) for at, code in enumerate(found.codes)}
    assert len(pairs) == len(one) == len({code for _, code in pairs}) == n


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, 3, 4, 5], "integer"),
        ([1, 2, 3, 4, None], "integer"),
        ([1.0, float("nan")], "float"),
        ([1], "integer"),
        (["a", "b", "c", "d", None], "string"),
        ([None], "integer"),
        ([-2, -1] * 10_000 + [0], "integer"),  # Rarer than the first look is long.
    ],
)
def test_other_targets_have_no_classes(values, dtype):
    assert classes_in(values, dtype) is None


def test_few_rows_are_not_worth_it():
    assert classes_in([0, 1], "integer", 3 * 2 * 2**13 - 1) is None
    assert classes_in([0, 1], "integer", 3 * 2 * 2**13) is not None


def columns():
    rng = np.random.default_rng(0)

    def where(share):
        return rng.random(N_ROWS) < share

    wild = rng.lognormal(0, 30, N_ROWS)
    wild[where(0.05)], wild[where(0.01)], wild[where(0.01)] = np.nan, np.inf, -(2.0**501)
    tiny = rng.normal(size=N_ROWS) * np.where(where(0.5), 1e-200, 1.0)
    words = [None if at == 3 else f"w{at}" for at in rng.integers(0, 2_000, N_ROWS).tolist()]
    prices = [Decimal(at).scaleb(-2) for at in rng.integers(0, 500, N_ROWS).tolist()]
    y = rng.integers(0, 2, N_ROWS)
    return {
        "id": pa.array(np.arange(N_ROWS)),
        "float": pa.array(rng.normal(y, 10), mask=where(0.1)),
        "wild": pa.array(wild, mask=where(0.1)),
        "tiny": pa.array(tiny),
        "few": pa.array(rng.integers(-9, 9, N_ROWS), mask=where(0.1)),
        "large": pa.array(rng.integers(-(2**62), 2**62, N_ROWS)),
        "flag": pa.array(where(0.5), mask=where(0.2)),
        "word": pa.array(words),
        "time": pa.array(rng.integers(0, 10**15, N_ROWS), pa.timestamp("us"), mask=where(0.1)),
        "price": pa.array(prices),
        "none": pa.nulls(N_ROWS, pa.float64()),
        "copy": pa.array(y),
        "y": pa.array(y),
        "missing": pa.array(y, mask=where(0.2)),
        "truth": pa.array(y > 0),
        "half": pa.array(np.where(y > 0, 0.5, -1e300)),
        "nearly": pa.array(np.where(y > 0, 1e-200, 3.0)),
        "label": pa.array(np.where(y > 0, "yes", "no")),
    }


@pytest.mark.parametrize("target", ["y", "missing", "truth", "half", "nearly", "label"])
@pytest.mark.parametrize("is_split", [True, False])
def test_counting_by_class_gives_what_counting_row_by_row_gives(
    write_parquet, monkeypatch, target, is_split
):
    table = pa.table(columns())
    files = [write_parquet("all.parquet", table)]
    features = tuple(name for name in table.column_names if name not in {"id", target})
    split = SplitRows(RULE, ("id",), None, 5) if is_split else None
    plan = ScanPlan(read_schema(files), split, None, Supervision(target, features))
    units = list_units(files)

    by_class = scan(units, plan, map_in_process)
    monkeypatch.setattr(classes, "_ROWS_A_CLASS", N_ROWS)
    by_row = scan(units, plan, map_in_process)

    assert by_class.to_bytes() == by_row.to_bytes()
    assert by_class.ordered_fingerprint == by_row.ordered_fingerprint
