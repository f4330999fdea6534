"""What a typical contract adds to the pass, beside the pass without one in the same process.

    python benchmarks/contract_cost.py [--rows 2000000] [--repeat 7]

Fifteen rules on the nine columns of the fraud table: types, nulls, ranges, a pattern, a rule across
columns, a key, freshness, classes and their balance. Both passes work on the same units in one
thread, in turns, and are measured in CPU time, so that other work on the machine shows less. The
second look at keys is apart: rows in shuffled order, whose key the pass cannot prove unique. Prints
the least of each, since other work only adds to it, and ends with 0 whatever it is: a benchmark is
no test.
"""

# ruff: noqa: INP001, T201

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq

from mlops_ray.config.contract import ContractConfig
from mlops_ray.config.model import SplitConfig
from mlops_ray.data import SplitRows, list_units, map_in_process, read_schema, scan
from mlops_ray.data.contract_check import judge_scan
from mlops_ray.data.rule import CheckPlan
from mlops_ray.data.scan import ScanPlan, scan_unit
from mlops_ray.data.source import find_files
from mlops_ray.testing.fraud import write_fraud

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET: Final = 0.15
CONTRACT: Final[dict[str, Any]] = {
    "columns": {
        "id": {"type": "integer", "nulls": 0},
        "event_ts": {"type": "timestamp", "range": {"min": "2025-01-01", "max": "2026-12-31"}},
        "amount": {"type": "float", "nulls": 0.1, "range": {"min": 0, "max": 1e7}},
        "merchant": {"pattern": "[A-Za-z0-9_-]+"},
        "hour": {"range": {"min": 0, "max": 23}},
        "account_age_days": {"range": {"min": 0}},
    },
    "unique": [["id"]],
    "freshness": {"column": "event_ts", "max_age_days": 60},
    "checks": ["label_ts >= event_ts"],
    "labels": {"classes": [False, True], "balance": {"min_share": 0.001}},
}


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fraud.parquet"
        write_fraud(path, options.rows, seed=1)
        print(json.dumps(_measured(path, options.repeat)))


def _measured(path: Path, repeat: int) -> dict[str, Any]:
    rows = SplitConfig.model_validate({"test": {"share": 0.2}, "valid": {"share": 0.2}})
    split = SplitRows(rows, ("id",), None, 3)
    contract = ContractConfig.model_validate(CONTRACT)
    check = CheckPlan(contract, "is_fraud", None, "2026-01-31", ("id",))
    units, schema = _units(path)
    plans = [ScanPlan(schema, split), ScanPlan(schema, split, check)]
    taken: list[list[float]] = [[], []]
    for _ in range(repeat):
        for plan, times in zip(plans, taken, strict=True):
            times.append(_cpu_s(lambda plan=plan: [scan_unit(plan, unit) for unit in units]))
    without, with_contract = map(min, taken)
    verdict = judge_scan(scan(units, plans[1], map_in_process), plans[1], units, map_in_process)
    return {
        "rows": sum(pq.read_metadata(file.path).num_rows for file in find_files(str(path), path)),
        "pass_cpu_s": round(without, 3),
        "pass_with_contract_cpu_s": round(with_contract, 3),
        "share": round(with_contract / without - 1, 3),
        "target_share": TARGET,
        "second_look_cpu_s": round(_second_look(path, plans[1]), 3),
        "verdict": verdict.verdict if verdict else None,
    }


def _units(path: Path) -> tuple[Any, Any]:
    files = find_files(str(path), path.parent)
    return list_units(files), read_schema(files)


def _second_look(path: Path, plan: ScanPlan) -> float:
    """CPU seconds of proving a key unique whose rows lie in no order."""
    table = pq.read_table(path)
    order = np.random.default_rng(1).permutation(table.num_rows)
    shuffled = path.with_name("shuffled.parquet")
    pq.write_table(table.take(order), shuffled)
    units, _ = _units(shuffled)
    found = scan(units, plan, map_in_process)
    return _cpu_s(lambda: judge_scan(found, plan, units, map_in_process))


def _cpu_s(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
