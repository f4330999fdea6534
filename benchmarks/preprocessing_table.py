"""The table that preprocessing is measured on: 10 numbers with nulls, 5 categories, 1 timestamp.

    python benchmarks/preprocessing_table.py --rows 2000000 --out FOLDER

Any number of rows, in 16 Parquet files; made block by block, each block with a random stream of its
own, so that memory stays small and a row does not depend on how many others there are. A key ``id``
and a target ``y`` stand beside the 16 feature columns, for the product needs both.
"""

# ruff: noqa: INP001

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK_ROWS: Final = 2**18  # A row group each.
N_FILES: Final = 16
N_NUMBERS: Final = 10
N_CATEGORIES: Final = (5, 20, 100, 1_000, 100_000)
NUMBERS: Final = [f"n{at}" for at in range(N_NUMBERS)]
CATEGORIES: Final = [f"c{at}" for at in range(len(N_CATEGORIES))]
TIMESTAMP: Final = "t"
NULL_SHARE: Final = 0.05
_FIRST_US: Final = 1_577_836_800_000_000  # 2020-01-01
_SPAN_US: Final = 4 * 365 * 86_400_000_000


def block(first: int, n_rows: int) -> pa.Table:
    """Rows from number `first` on, which is a multiple of `BLOCK_ROWS` past a file's start."""
    rng = np.random.Generator(np.random.Philox(key=[7, first]))
    columns: dict[str, pa.Array] = {"id": pa.array(np.arange(first, first + n_rows))}
    for at, name in enumerate(NUMBERS):
        columns[name] = pa.array(_numbers(rng, at, n_rows), mask=rng.random(n_rows) < NULL_SHARE)
    for name, n_distinct in zip(CATEGORIES, N_CATEGORIES, strict=True):
        words = pa.array([f"{name}_{value:06}" for value in range(n_distinct)])
        codes = pa.array(rng.integers(n_distinct, size=n_rows, dtype=np.int32))
        columns[name] = pa.DictionaryArray.from_arrays(codes, words).cast(pa.string())
    ticks = _FIRST_US + rng.integers(_SPAN_US, size=n_rows)
    columns[TIMESTAMP] = pa.array(ticks, pa.timestamp("us"))
    columns["y"] = pa.array(rng.integers(2, size=n_rows))
    return pa.table(columns)


def _numbers(rng: np.random.Generator, at: int, n_rows: int) -> np.ndarray:
    """Spread over six orders of magnitude; two columns are whole numbers."""
    if at < 4:
        return rng.normal(10.0 ** (at - 2), 10.0 ** (at - 1), n_rows)
    if at < 7:
        return rng.lognormal(at - 4, 1.0, n_rows)
    if at < 8:
        return rng.random(n_rows)
    return rng.poisson(30 * (at - 7), n_rows)


def write_table(folder: Path, n_rows: int) -> None:
    """Write the files; a folder that is there is complete."""
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    bounds = [n_rows * at // N_FILES for at in range(N_FILES + 1)]
    for at, (start, end) in enumerate(itertools.pairwise(bounds)):
        with pq.ParquetWriter(partial / f"part-{at:02}.parquet", block(0, 0).schema) as writer:
            for first in range(start, end, BLOCK_ROWS):
                writer.write_table(block(first, min(BLOCK_ROWS, end - first)))
    partial.rename(folder)


def cached_table(n_rows: int, parent: Path | None = None) -> Path:
    """The folder of a table of so many rows, made unless it is there."""
    folder = (parent or Path(tempfile.gettempdir()) / "mlops-ray-bench") / f"rows-{n_rows}"
    if not folder.is_dir():
        write_table(folder, n_rows)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cached_table(options.rows, options.out)
