"""Card payments with a known probability of fraud, in any number of rows.

Row ``i`` belongs to block ``i // FRAUD_BLOCK_ROWS``, and each block has a counter-based random
stream of its own, so that any row can be made alone, on any machine, in any order: a table does not
depend on how it is cut into files. Since the probability of each row is known, so is the best AUC
that any model can reach, and tuning can be judged. 1 to 2 % of the rows are fraud.

Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.random import Generator, Philox
from sklearn.metrics import roc_auc_score

from mlops_ray.storage import atomic_writer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "FRAUD_BLOCK_ROWS",
    "bayes_auc",
    "fraud_block",
    "fraud_probability",
    "fraud_rows",
    "write_fraud",
]

FRAUD_BLOCK_ROWS: Final = 65_536

_N_MERCHANTS: Final = 500
_ZIPF_EXPONENT: Final = 1.2
_HOUR_WEIGHTS: Final = (3, 2, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 9, 8, 8, 8, 8, 9, 9, 9, 8, 7, 6, 4)
_FIRST_DAY: Final = np.datetime64("2025-01-01", "us")
_N_DAYS: Final = 365
_DAY_US: Final = 24 * 3600 * 1_000_000
_MEAN_LABEL_DELAY_DAYS: Final = 14.0


def fraud_block(seed: int, block: int, n_rows: int = FRAUD_BLOCK_ROWS) -> pa.Table:
    """The first rows of one block.

    Args:
        seed: Names the table, 0 or more.
        block: Names the block, counted from 0.
        n_rows: At most `FRAUD_BLOCK_ROWS`; fewer rows are a prefix of more.

    Returns:
        Columns ``id``, ``event_ts``, ``amount``, ``merchant``, ``hour``, ``account_age_days``,
        ``new_device``, the target ``is_fraud``, and ``label_ts``, when the label became known:
        weeks later, and no feature.

    Example:
        >>> fraud_block(7, 0, 2).column("id").to_pylist()
        [0, 1]
    """
    if not 0 <= n_rows <= FRAUD_BLOCK_ROWS:
        raise ValueError(f"n_rows must be 0 to {FRAUD_BLOCK_ROWS}, got {n_rows}")
    return _whole_block(seed, block).slice(0, n_rows)


def fraud_rows(seed: int, start: int, stop: int) -> pa.Table:
    """The rows `start` (included) to `stop` (not included) of the endless table of a seed."""
    parts = []
    for block in range(start // FRAUD_BLOCK_ROWS, -(-stop // FRAUD_BLOCK_ROWS)):
        first = block * FRAUD_BLOCK_ROWS
        begin, end = max(start - first, 0), min(stop - first, FRAUD_BLOCK_ROWS)
        parts.append(_whole_block(seed, block).slice(begin, end - begin))
    return pa.concat_tables(parts).combine_chunks()


def write_fraud(folder: Path, n_rows: int, seed: int, rows_per_file: int = 10**6) -> list[Path]:
    """Write the first rows of a seed's table as Parquet files; the same arguments, the same bytes.

    Args:
        folder: Where to write; made if absent.
        n_rows: Rows in all.
        seed: Names the table.
        rows_per_file: Rows of each file but the last.
    """
    paths = []
    for number, start in enumerate(range(0, n_rows, rows_per_file)):
        path = folder / f"part-{number:05d}.parquet"
        table = fraud_rows(seed, start, min(start + rows_per_file, n_rows))
        with atomic_writer(path) as stream:
            pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
        paths.append(path)
    return paths


def fraud_probability(table: pa.Table) -> NDArray[np.float64]:
    """The true probability of fraud of each row, from the columns a model may see."""
    amount = table.column("amount").to_numpy()
    hour = table.column("hour").to_numpy()
    age_days = table.column("account_age_days").to_numpy()
    new_device = table.column("new_device").to_numpy()
    merchant = pc.utf8_slice_codeunits(table.column("merchant"), 1).cast(pa.int64()).to_numpy()
    logit = (
        -4.2
        + 0.8 * np.log(amount / 25.0)
        + 1.4 * new_device
        + 1.2 * (new_device & (amount > 100.0))  # An interaction that a linear model misses.
        + 0.9 * (hour < 6)
        - 0.4 * np.log1p(age_days / 30.0)
        + 0.15 * (merchant * 7919 % 11 - 5)
    )
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float64)


def bayes_auc(seed: int, n_rows: int) -> float:
    """The ROC AUC of the true probability: what the best possible model expects to reach.

    Each row counts as fraud by its probability and as no fraud by the rest, so that the value has
    no noise from the labels drawn.

    Args:
        seed: Names the table.
        n_rows: Its first rows are averaged over.
    """
    probability = fraud_probability(fraud_rows(seed, 0, n_rows))
    is_fraud = np.repeat([1, 0], n_rows)
    weights = np.concatenate([probability, 1.0 - probability])
    return float(roc_auc_score(is_fraud, np.tile(probability, 2), sample_weight=weights))


@lru_cache(maxsize=2)  # Two files may share the block at their border.
def _whole_block(seed: int, block: int) -> pa.Table:
    n = FRAUD_BLOCK_ROWS
    rng = Generator(Philox(key=np.array([seed, block], dtype=np.uint64)))
    hour = rng.choice(24, size=n, p=np.array(_HOUR_WEIGHTS) / sum(_HOUR_WEIGHTS))
    day = rng.integers(_N_DAYS, size=n)
    event_us = day * _DAY_US + hour * (_DAY_US // 24) + rng.integers(_DAY_US // 24, size=n)
    rank = np.arange(1, _N_MERCHANTS + 1) ** -_ZIPF_EXPONENT
    merchant = rng.choice(_N_MERCHANTS, size=n, p=rank / rank.sum())
    columns = {
        "id": np.arange(n) + block * n,
        "event_ts": _FIRST_DAY + event_us.astype("timedelta64[us]"),
        "amount": np.maximum(np.round(rng.lognormal(3.2, 1.1, size=n), 2), 0.01),
        "merchant": pa.array([f"m{number:03d}" for number in range(_N_MERCHANTS)]).take(merchant),
        "hour": hour,
        "account_age_days": np.minimum(rng.exponential(400.0, size=n), 3650.0).astype(np.int64),
        "new_device": rng.random(n) < 0.1,
    }
    table = pa.table(columns)
    delay_us = (_DAY_US * (1.0 + rng.exponential(_MEAN_LABEL_DELAY_DAYS, size=n))).astype(np.int64)
    is_fraud = rng.random(n) < fraud_probability(table)
    label_ts = columns["event_ts"] + delay_us.astype("timedelta64[us]")
    return table.append_column("is_fraud", pa.array(is_fraud)).append_column(
        "label_ts", pa.array(label_ts)
    )
