"""The column of weights: every row that cannot be counted is refused, with how many there are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlops_ray.data.profile import Profile
from mlops_ray.data.scan_result import Scan
from mlops_ray.data.weights import check_weight_type, check_weights
from mlops_ray.errors import ColumnError, Where


def scan_of(train, test=(1.0, 2.0)):
    types = {"w": "float"}
    parts = {"train": train, "valid": [1.0, 0.0], "test": list(test)}
    tables = {name: pa.table({"w": pa.array(w, pa.float64())}) for name, w in parts.items()}
    return Scan(types, {name: Profile.of(table, types) for name, table in tables.items()}, {})


def test_weights_from_zero_on_pass():
    check_weights(scan_of([0.0, -0.0, 0.5, 3.0, 1e30]), "w")


@pytest.mark.parametrize(
    ("scan", "says"),
    [
        (scan_of([1.0, None, float("nan")]), "have no weight: got 2 of the 3 rows of train"),
        (scan_of([-1e-300, 1.0, -7.0]), "negative weight: got 2 of the 3 rows of train"),
        (scan_of([1.0], [float("inf"), 1e39, 1.0]), "huge weight: got 2 of the 3 rows of test"),
        (scan_of([0.0, 0.0]), "no row counts: got 0 in all 2 training rows"),
    ],
)
def test_others_are_refused_with_their_number(scan, says):
    with pytest.raises(ColumnError, match=says):
        check_weights(scan, "w")


def test_a_text_is_no_weight():
    with pytest.raises(ColumnError, match="weights are no numbers: got string"):
        check_weight_type({"w": "string"}, "w", Where(key="data.weight"))
