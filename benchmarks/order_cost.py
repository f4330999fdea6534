"""What `data.order_by` costs: rows of the benchmark table shuffled, put in the order of their key.

    python benchmarks/order_cost.py [--rows 1000000] [--repeat 3]

The matrices of train and valid are made from the shuffled table with and without `order_by`, in one
process and in turns. The passes over the data cost the same with both: `order_by` sorts what a
model is fitted on, no row that is written or predicted. Prints CPU seconds, the least of each, as
one line of JSON, and ends with 0 whatever they are: a benchmark is no test.
"""

# ruff: noqa: INP001, T201

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from preprocessing import pipeline
from preprocessing_table import BLOCK_ROWS, cached_table

from mlops_ray.config import FeatureGroup
from mlops_ray.config.model import SplitConfig
from mlops_ray.data import SplitRows, list_units, map_in_process, read_schema, scan
from mlops_ray.data.scan import ScanPlan
from mlops_ray.data.source import find_files
from mlops_ray.features import CompiledTransform, fit_features, resolve_features
from mlops_ray.features.matrix import gather
from mlops_ray.features.unit_rows import MatrixPlan, matrix_of_unit


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(shuffled(options.rows, Path(folder)), options.repeat)))


def shuffled(n_rows: int, folder: Path) -> Path:
    """The table in a random order, so that sorting has all to do."""
    table = pq.read_table(cached_table(n_rows))
    order = np.random.default_rng(1).permutation(n_rows)
    pq.write_table(table.take(order), folder / "shuffled.parquet", row_group_size=BLOCK_ROWS)
    return folder


def measured(folder: Path, repeat: int) -> dict[str, Any]:
    """CPU seconds of both ways."""
    files = find_files(str(folder), folder)
    schema, units = read_schema(files), list_units(files)
    declared = pipeline(folder)
    split = SplitRows(SplitConfig.model_validate(declared["split"]), ("id",), None, 3)
    found = scan(units, ScanPlan(schema, split), map_in_process)
    groups = [FeatureGroup.model_validate(group) for group in declared["features"]]
    state = fit_features(
        resolve_features(groups, schema, {"id", "t", "y"}), found.profiles["train"]
    )
    transform, parts = CompiledTransform(state), ("train", "valid")
    plain = MatrixPlan(schema, transform, split, "y", (0, 1), (), parts)
    taken: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(repeat):
        for name, plan in (("without", plain), ("with", replace(plain, order_by=("id",)))):
            before = time.process_time()
            gather(plan, map_in_process(partial(matrix_of_unit, plan), units))
            taken[name].append(time.process_time() - before)
    without, ordered = (min(times) for times in taken.values())
    return {
        "rows": found.n_rows,
        "matrices_cpu_s": round(without, 2),
        "matrices_in_order_cpu_s": round(ordered, 2),
        "share": round(ordered / without - 1, 2),
        "us_a_row": round((ordered - without) / found.n_rows * 1e6, 2),
    }


if __name__ == "__main__":
    main()
