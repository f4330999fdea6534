"""Fit, transform and write of the benchmark table: the product beside its rivals, in one run.

    python benchmarks/preprocessing.py [--rows 2000000] [--repeat 3] [--only NAMES] [--skip NAMES]

Each contender is a process of its own with 2 CPUs, and does the same: numbers are imputed with
their mean and standardized, categories become ordinal codes, and all rows are written as 32-bit
floats beside their key, compressed with lz4. The product is called through its own command with its
defaults, in a fresh store: it digests the files, checks the contract, fingerprints all rows, splits
them, fits on the training rows and keeps profiles, which the others do not. Printed are medians:
wall time of the work (without the start of the interpreter and of Ray), CPU seconds and peak memory
of the whole process tree. Ends with 0 whatever they are: a benchmark is no test.
"""

# ruff: noqa: INP001, PLC0415, S603, T201

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from preprocessing_table import CATEGORIES, NUMBERS, cached_table
from process_tree import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY: Final = Path(__file__).parents[1]
CPUS: Final = 2
GB: Final = 1e9
SETTINGS: Final = {
    "mlops_ray": "mlops-ray features build, defaults, fresh store, --num-cpus 2",
    "ray_preprocessors": "read_parquet, Chain(SimpleImputer mean, StandardScaler, OrdinalEncoder), "
    "write_parquet; 2 CPUs, no dashboard, no progress bars",
    "pandas_sklearn": "read_parquet, ColumnTransformer(SimpleImputer + StandardScaler, "
    "OrdinalEncoder), to_parquet lz4",
    "polars": "scan_parquet, streaming engine, Enum casts, sink_parquet lz4; 2 threads",
    "duckdb": "read_parquet, ENUM types, COPY ... lz4, 2 threads, order not preserved",
    "pyarrow": "read and write of the same columns, a file at a time, lz4, no transform; 2 threads",
}


def pipeline(table: Path) -> dict[str, Any]:
    """The product's pipeline file."""
    return {
        "version": 1,
        "name": "preprocessing",
        "seed": 7,
        "objective": {"metric": "roc_auc"},
        "data": {
            "source": {"path": str(table)},
            "task": "binary",
            "target": "y",
            "key": ["id"],
            "time": "t",
        },
        "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
        "features": [
            {"columns": NUMBERS, "steps": [{"impute": "mean"}, "standardize"]},
            *encoded(),
        ],
        "model": {"family": "xgboost", "params": {"n_estimators": 3}},
        "search": {"trials": 1, "space": {"max_depth": {"int": [2, 3]}}},
    }


def encoded() -> list[dict[str, Any]]:
    """Categories as ordinal codes."""
    return [{"columns": CATEGORIES, "steps": ["ordinal"]}]


def ray_preprocessors(table: Path, out: Path) -> Iterator[str]:
    """Ray Data's own preprocessors."""
    import logging

    import ray
    import ray.data
    from ray.data.preprocessors import Chain, OrdinalEncoder, SimpleImputer, StandardScaler

    ray.init(num_cpus=CPUS, include_dashboard=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield "ready"
    dataset = ray.data.read_parquet(str(table), columns=["id", *NUMBERS, *CATEGORIES])
    steps = SimpleImputer(NUMBERS, "mean"), StandardScaler(NUMBERS), OrdinalEncoder(CATEGORIES)
    chain = Chain(*steps).fit(dataset)
    yield "fit"
    chain.transform(dataset).write_parquet(str(out))
    yield "transform"


def pandas_sklearn(table: Path, out: Path) -> Iterator[str]:
    """The usual pair."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    yield "ready"
    frame = pd.read_parquet(table, columns=["id", *NUMBERS, *CATEGORIES])
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    transformer = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("categories", OrdinalEncoder(**unknown), CATEGORIES),
        ]
    ).fit(frame)
    yield "fit"
    out.mkdir()
    matrix = transformer.transform(frame).astype("float32")
    done = pd.DataFrame(matrix, columns=[*NUMBERS, *CATEGORIES])
    done.insert(0, "id", frame["id"])
    done.to_parquet(out / "part.parquet", compression="lz4")
    yield "transform"


def polars(table: Path, out: Path) -> Iterator[str]:
    """Polars' streaming engine."""
    os.environ["POLARS_MAX_THREADS"] = str(CPUS)
    import polars as pl

    yield "ready"
    rows = pl.scan_parquet(table / "*.parquet")
    numbers = [
        what
        for name in NUMBERS
        for what in (
            pl.col(name).mean().alias(f"{name}.mean"),
            (pl.col(name).var(ddof=0) * pl.col(name).count() / pl.len())
            .sqrt()
            .alias(f"{name}.std"),
        )
    ]
    plans = [rows.select(numbers)]
    plans += [rows.select(pl.col(name).unique().drop_nulls().sort()) for name in CATEGORIES]
    fitted, *categories = pl.collect_all(plans, engine="streaming")
    yield "fit"
    found = fitted.row(0, named=True)
    scaled = [
        (
            (pl.col(name).fill_null(found[f"{name}.mean"]) - found[f"{name}.mean"])
            / found[f"{name}.std"]
        )
        .cast(pl.Float32)
        .alias(name)
        for name in NUMBERS
    ]
    coded = [
        pl.col(name).cast(pl.Enum(values[name])).to_physical().cast(pl.Float32)
        for name, values in zip(CATEGORIES, categories, strict=True)
    ]
    out.mkdir()
    rows.select("id", *scaled, *coded).sink_parquet(
        out / "part.parquet", compression="lz4", engine="streaming"
    )
    yield "transform"


def duckdb(table: Path, out: Path) -> Iterator[str]:
    """DuckDB."""
    import duckdb as db

    connection = db.connect()
    connection.execute(f"SET threads = {CPUS}; SET preserve_insertion_order = false")
    yield "ready"
    rows = f"read_parquet('{table}/*.parquet')"
    wanted = ", ".join(
        f"avg({name}), sqrt(var_pop({name}) * count({name}) / count(*))" for name in NUMBERS
    )
    found = connection.execute(f"SELECT {wanted} FROM {rows}").fetchone()  # noqa: S608
    for name in CATEGORIES:
        distinct = f"SELECT DISTINCT {name} FROM {rows} ORDER BY 1"  # noqa: S608
        connection.execute(f"CREATE TYPE {name}_type AS ENUM ({distinct})")
    yield "fit"
    scaled = [
        f"((coalesce({name}, {mean!r}) - {mean!r}) / {std!r})::FLOAT AS {name}"
        for name, mean, std in zip(NUMBERS, found[::2], found[1::2], strict=True)
    ]
    coded = [f"enum_code({name}::{name}_type)::FLOAT AS {name}" for name in CATEGORIES]
    columns = ", ".join(["id", *scaled, *coded])
    out.mkdir()
    options = "FORMAT parquet, COMPRESSION lz4_raw"
    connection.execute(f"COPY (SELECT {columns} FROM {rows}) TO '{out}/part.parquet' ({options})")  # noqa: S608
    yield "transform"


def pyarrow(table: Path, out: Path) -> Iterator[str]:
    """The floor: the same columns read and written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(CPUS)
    yield "ready"
    out.mkdir()
    yield "fit"
    for path in sorted(table.glob("*.parquet")):
        columns = pq.read_table(path, columns=["id", *NUMBERS, *CATEGORIES])
        pq.write_table(columns, out / path.name, compression="lz4", use_dictionary=CATEGORIES)
    yield "transform"


RIVALS: Final[dict[str, Callable[[Path, Path], Iterator[str]]]] = {
    rival.__name__: rival for rival in (ray_preprocessors, pandas_sklearn, polars, duckdb, pyarrow)
}


def work_alone(name: str, table: Path, out: Path) -> None:
    """Inside a rival's process: print the seconds of its steps as JSON."""
    marks = [(mark, time.perf_counter()) for mark in RIVALS[name](table, out)]
    times = dict(marks)
    steps = {"fit_s": times["fit"] - times["ready"], "write_s": times["transform"] - times["fit"]}
    print(json.dumps({**steps, "wall_s": times["transform"] - times["ready"]}))


def measured(name: str, table: Path, folder: Path) -> dict[str, float]:
    """One process of a contender."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, __file__, "--alone", name, "--table", str(table), "--out", str(out)]
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if name == "mlops_ray":
        (folder / "pyproject.toml").touch()
        (folder / "pipeline.yaml").write_text(json.dumps(pipeline(table)), encoding="utf-8")
        shutil.rmtree(folder / ".mlops_ray", ignore_errors=True)
        command = [sys.executable, "-P", "-m", "mlops_ray", "features", "build", "pipeline.yaml"]
        command += ["--out", str(out), "--num-cpus", str(CPUS), "--json"]
        environment["PYTHONPATH"] = str(REPOSITORY)
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched = Watched(process)
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}: {errors[-3000:]}")
    answer = json.loads(output.strip().splitlines()[-1])
    if "stages" in answer:
        write_s = sum(stage["wall_s"] for stage in answer["stages"] if stage["name"] == "write")
        answer |= {"write_s": write_s, "fit_s": answer["wall_s"] - write_s}
    return {
        "fit_s": answer["fit_s"],
        "write_s": answer["write_s"],
        "wall_s": answer["wall_s"],
        "process_s": time.perf_counter() - started,
        "cpu_s": watched.cpu_s,
        "peak_gb": watched.peak_bytes / GB,
    }


def medians(turns: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure its median."""
    return {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}


def shares(table: Path, n_units: int = 6) -> None:
    """What the parts of the pass cost in CPU seconds, over the first units."""
    sys.path.insert(0, str(REPOSITORY))
    from mlops_ray.data.source import find_files
    from mlops_ray.data.unit import list_units

    units = list_units(find_files(str(table), table))[:n_units]
    found: dict[str, list[float]] = {}
    for _ in range(3):
        for way, cost in pass_costs(units).items():
            found.setdefault(way, []).append(cost)
    ns = {way: min(costs) for way, costs in found.items()}
    print("\nthe pass, nanoseconds of CPU a cell, least of 3:")
    for way, cost in ns.items():
        print(f"  {way:34} {cost:6.1f}")
    read, base, full, whole = ns.values()
    print(f"  the fingerprint adds {full / base - 1:.0%} to reading and statistics", end=", ")
    print(
        f"{(full - base) / read:.0%} to reading alone; the whole is {whole / base:.2f} x statistics"
    )


def pass_costs(units: list[Any]) -> dict[str, float]:
    """Nanoseconds a cell of reading, with statistics, and with the fingerprint besides."""
    from mlops_ray.data.cells import decode
    from mlops_ray.data.measure import measure_column
    from mlops_ray.data.row_parts import RowParts
    from mlops_ray.data.rowhash import RowHasher
    from mlops_ray.data.unit_rows import read_unit
    from mlops_ray.data.unit_schema import read_schema

    schema = read_schema(units)

    def work(unit: Any, *, is_measured: bool, is_hashed: bool) -> int:  # noqa: ANN401 - a unit
        cells = read_unit(unit, schema)
        ids = cells.column("id").to_numpy()
        rows = RowParts.of_codes(np.maximum(ids % 5 - 2, 0), 3)  # Three parts, as in a run.
        hasher = RowHasher(rows, schema, schema) if is_hashed else None
        for name in sorted(schema) if is_measured else ():
            column = decode(cells.column(name), schema[name], name)
            measure_column(column, schema[name], rows, hasher)
        if hasher is not None:
            hasher.finish()
        return cells.num_rows * len(schema)

    costs = {}
    for way, flags in {
        "read every column": (False, False),
        "read + statistics": (True, False),
        "read + statistics + fingerprint": (True, True),
    }.items():
        before = time.process_time()
        n_cells = sum(work(unit, is_measured=flags[0], is_hashed=flags[1]) for unit in units)
        costs[way] = (time.process_time() - before) / n_cells * 1e9
    costs["the whole task, with associations"] = _task_cost(units, schema)
    return costs


def _task_cost(units: list[Any], schema: Any) -> float:  # noqa: ANN401 - of mlops_ray
    """The same of all that a run does with a unit, answer included."""
    from mlops_ray.config.model import SplitConfig
    from mlops_ray.data.scan import ScanPlan, scan_unit
    from mlops_ray.data.split import SplitRows
    from mlops_ray.data.supervision import Supervision
    from mlops_ray.data.unit_rows import read_unit

    rule = SplitConfig.model_validate({"test": {"share": 0.2}, "valid": {"share": 0.2}})
    features = tuple(name for name in schema if name not in {"id", "y"})
    split, roles = SplitRows(rule, ("id",), None, 5), Supervision("y", features)
    plan = ScanPlan(schema, split, None, roles)
    n_cells = sum(read_unit(unit, schema, ["id"]).num_rows for unit in units) * len(schema)
    before = time.process_time()
    for unit in units:
        scan_unit(plan, unit)
    return (time.process_time() - before) / n_cells * 1e9


def report(found: dict[str, dict[str, float]]) -> None:
    """The table and the ratios."""
    print(f"\n{'contender':20}{'fit s':>8}{'write s':>8}{'wall s':>8}{'process s':>10}", end="")
    print(f"{'CPU s':>8}{'peak GB':>9}{'wall / ours':>13}{'CPU / ours':>12}")
    ours = found.get("mlops_ray")
    for name, row in found.items():
        ratios = [row[key] / ours[key] if ours else float("nan") for key in ("wall_s", "cpu_s")]
        print(
            f"{name:20}{row['fit_s']:8.2f}{row['write_s']:8.2f}{row['wall_s']:8.2f}"
            f"{row['process_s']:10.2f}{row['cpu_s']:8.1f}{row['peak_gb']:9.2f}"
            f"{ratios[0]:13.2f}{ratios[1]:12.2f}"
        )


def main() -> None:
    """Run the contenders in turn, so that a change of load meets all of them."""
    names = ["mlops_ray", *RIVALS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--skip", nargs="*", choices=names, default=[])
    parser.add_argument("--alone", choices=list(RIVALS), help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        work_alone(options.alone, options.table, options.out)
        return
    table = cached_table(options.rows)
    versions = ("ray", "pyarrow", "pandas", "scikit-learn", "polars", "duckdb")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in versions))
    print(f"{options.rows:,} rows, {os.cpu_count()} CPUs, medians of {options.repeat}", end="; ")
    print("load " + ", ".join(f"{value:.1f}" for value in os.getloadavg()))
    turns: dict[str, list[dict[str, float]]] = {}
    folder = Path(tempfile.mkdtemp(prefix="preprocessing-"))
    chosen = [name for name in names if name in options.only and name not in options.skip]
    try:
        for _ in range(options.repeat):
            for name in chosen:
                turns.setdefault(name, []).append(measured(name, table, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name in chosen:
        print(f"  {name:18} {SETTINGS[name]}")
    report({name: medians(turns[name]) for name in chosen})
    shares(table)
    print("load at the end " + ", ".join(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
