"""What turning one mixed record into features costs, beside scikit-learn's ColumnTransformer.

The record has 15 columns: 10 numbers (impute, standardize), 4 categories (one-hot) and a timestamp
(hour and weekday as numbers, the month as a cycle). Ours goes through
`CompiledTransform.from_records`, as the endpoint does. The rival gets the same record as a
DataFrame of one row that is made beforehand, with the same steps, and the calendar fields already
in columns of their own. Both outputs are compared before anything is timed.

Prints one line of JSON. Run with ``.venv/bin/python benchmarks/online_transform.py``.
"""

# ruff: noqa: INP001, T201

from __future__ import annotations

import json
import timeit
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_ray.config import FeatureGroup
from mlops_ray.data.profile import Profile
from mlops_ray.data.schema import schema_of
from mlops_ray.features import CompiledTransform, fit_features, resolve_features

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

N_ROWS = 2_000
BATCH = 32
NUMBERS = [f"number_{at}" for at in range(10)]
CATEGORIES = [f"category_{at}" for at in range(4)]
TIME = {"date_parts": {"parts": ["hour", "weekday"], "cycles": ["month"]}}
GROUPS: list[dict[str, Any]] = [
    {"columns": NUMBERS, "steps": [{"impute": "mean"}, "standardize"]},
    {"columns": CATEGORIES, "steps": ["one_hot"]},
    {"columns": ["at"], "steps": [TIME]},
]


def table_of(n_rows: int) -> pa.Table:
    """Numbers with nulls, categories of 8 values, times."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {
        name: pa.array(rng.lognormal(0, 2, n_rows), mask=rng.random(n_rows) < 0.05)
        for name in NUMBERS
    }
    columns |= {name: rng.choice([f"value {at}" for at in range(8)], n_rows) for name in CATEGORIES}
    seconds = rng.integers(1_400_000_000, 1_700_000_000, n_rows)
    return pa.table({**columns, "at": pa.array(seconds * 1_000_000, pa.timestamp("us"))})


def ours(table: pa.Table) -> CompiledTransform:
    """The compiled transform, fitted to the table."""
    schema = schema_of([("table", table.schema)])
    groups = [FeatureGroup.model_validate(group) for group in GROUPS]
    return CompiledTransform(
        fit_features(resolve_features(groups, schema, set()), Profile.of(table, schema))
    )


def frame_of(table: pa.Table) -> pd.DataFrame:
    """The rival's input: calendar fields are columns already."""
    frame = table.to_pandas()
    turn = 2 * np.pi * (frame["at"].dt.month - 1) / 12
    fields = {"hour": frame["at"].dt.hour, "weekday": frame["at"].dt.day_of_week}
    return frame.drop(columns="at").assign(**fields, sin=np.sin(turn), cos=np.cos(turn))


def rival(frame: pd.DataFrame) -> ColumnTransformer:
    """The same steps in scikit-learn, fitted to the frame."""
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    steps = [
        ("numbers", scaled, NUMBERS),
        ("categories", encoder, CATEGORIES),
        ("time", "passthrough", ["hour", "weekday", "sin", "cos"]),
    ]
    return ColumnTransformer(steps).fit(frame)


def best_us(run: Callable[[], object], number: int) -> float:
    """Microseconds a call, the best of 200 short windows: what an undisturbed machine can do."""
    return min(timeit.repeat(run, number=number, repeat=200)) / number * 1e6


def main() -> None:
    """Measure both and print one line."""
    table = table_of(N_ROWS)
    frame = frame_of(table)
    mine, theirs = ours(table), rival(frame)
    plain = next(row for row in table.to_pylist() if None not in row.values())
    records = [
        json.loads(json.dumps(row, default=str)) for row in table.slice(0, BATCH).to_pylist()
    ]
    record = json.loads(json.dumps(plain, default=str))
    row = frame.iloc[:1]
    np.testing.assert_allclose(
        mine.from_records(records), theirs.transform(frame.iloc[:BATCH]), rtol=1e-6, atol=1e-6
    )
    one_us = best_us(lambda: mine.from_records([record]), 100)
    null_us = best_us(lambda: mine.from_records([{**record, NUMBERS[3]: None}]), 100)
    batch_us = best_us(lambda: mine.from_records(records), 10) / BATCH
    table_us = best_us(lambda: mine.from_table(table), 1) / N_ROWS
    rival_us = best_us(lambda: theirs.transform(row), 2)
    rival_batch_us = best_us(lambda: theirs.transform(frame.iloc[:BATCH]), 2) / BATCH
    print(
        json.dumps(
            {
                "columns": len(NUMBERS) + len(CATEGORIES) + 1,
                "outputs": len(mine.state.outputs),
                "one_record_us": round(one_us, 2),
                "one_record_with_null_us": round(null_us, 2),
                f"row_in_{BATCH}_us": round(batch_us, 2),
                "row_in_table_us": round(table_us, 3),
                "sklearn_one_row_us": round(rival_us, 1),
                f"sklearn_row_in_{BATCH}_us": round(rival_batch_us, 1),
                "ratio_one": round(rival_us / one_us, 1),
                "ratio_batch": round(rival_batch_us / batch_us, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
