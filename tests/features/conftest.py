"""A fitted state with every kind of input, rows that use all of its cases, and fitting in files."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config import FeatureGroup
from mlops_ray.config.model import SplitConfig
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.source import FoundFile
from mlops_ray.data.split import SplitRows
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.features import FeatureState, number_feature, one_hot_feature
from mlops_ray.features.fit import fit_features
from mlops_ray.features.folds import Folds
from mlops_ray.features.plan import further_passes, resolve_features
from mlops_ray.features.refine import RefinePlan, refine, refine_unit


@pytest.fixture
def state() -> FeatureState:
    """Six inputs, eleven outputs."""
    return FeatureState(
        (
            number_feature("f", "float", fill=None, offset=0.1, scale=0.3),
            one_hot_feature("s", "string", ("", "a", "é")),
            number_feature("i", "integer", fill=2.5, offset=None, scale=None),
            one_hot_feature("n", "integer", (-1, 3, 2**60)),
            number_feature("b", "boolean", fill=0.0, offset=0.5, scale=0.5),
            one_hot_feature("t", "boolean", (False, True)),
        )
    )


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """Rows as JSON gives them."""
    return [
        {"f": 0.7, "s": "a", "i": 3, "n": 2**60, "b": True, "t": True},
        {"f": None, "s": None, "i": None, "n": None, "b": None, "t": None},
        {"f": -0.0, "s": "unknown", "i": 2**53 + 1, "n": 2**60 + 1, "b": False, "t": False},
        {"f": 1e-300, "s": "é", "i": -7, "n": -1, "b": True, "t": False},
        {"f": 12345678.9, "s": "", "i": 0, "n": 3, "b": False, "t": True},
    ]


FOLDS = Folds(("k",), 3)
FAR = {"time_from": 10**15}  # Of the column `k`: rows from there on do not train.


class Bench:
    """Fits features to the training rows of tables that stand for files, pass by pass.

    Attributes:
        passes: Further passes of the last fit.
        planned: What was planned for it.
    """

    def __init__(self, folder) -> None:
        self.folder = folder
        self.passes = self.planned = -1

    def fit(self, groups, *tables, target="y", labels=None) -> FeatureState:
        """The state; the tables hold `k`, which tells training rows, and `target`."""
        files = []
        for at, table in enumerate(tables):
            path = self.folder / f"{at}"
            pq.write_table(table, path, write_page_checksum=True)
            files.append(FoundFile(path.name, path, "parquet", 0))
        schema, units = read_schema(files), list_units(files)
        declared = [FeatureGroup.model_validate(group) for group in groups]
        specs = resolve_features(declared, schema, {"k", target})
        split = SplitRows(SplitConfig.model_validate({"test": FAR, "valid": FAR}), (), "k", 1)
        profile = scan(units, ScanPlan(schema, split), map_in_process).profiles["train"]
        self.passes, self.planned = 0, further_passes(specs)

        def look_up(wanted):
            self.passes += 1
            plan = RefinePlan(schema, split, target, labels, FOLDS, tuple(wanted))
            return refine(plan, map_in_process(partial(refine_unit, plan), units))

        return fit_features(specs, profile, look_up)


@pytest.fixture
def bench(tmp_path) -> Bench:
    """See `Bench`."""
    return Bench(tmp_path)


@pytest.fixture
def folds() -> Folds:
    """What decides the folds of a `Bench`."""
    return FOLDS


@pytest.fixture(scope="session")
def bench_of():
    """The class, for fixtures that live longer."""
    return Bench


@pytest.fixture
def with_key():
    """Makes a table with a key and a target beside its columns."""
    return _with_key


def _with_key(**columns) -> pa.Table:
    table = pa.table(columns)
    n = table.num_rows
    table = table.append_column("k", pa.array(np.arange(n)))
    return table if "y" in columns else table.append_column("y", pa.array(np.arange(n) % 2))
