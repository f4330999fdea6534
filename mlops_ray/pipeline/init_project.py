"""Makes a project that runs: a small table, a pipeline file, a .gitignore."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ConflictError
from mlops_ray.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["init_project"]

_CONFIG: Final = """\
# A pipeline file. `mlops-ray check pipeline.yaml` checks it, `mlops-ray run pipeline.yaml` runs it.
version: 1
name: demand
objective: {metric: rmse}
seed: 7
data:
  source: data/bikes.csv          # a file, a folder or a glob; Parquet or CSV
  task: regression                # binary | multiclass | regression
  target: rentals
  key: [hour_id]                  # identifies a row; the split goes by its hash
split: {test: {share: 0.2}, valid: {share: 0.2}}
features:
  - {columns: [temperature_c, hour], steps: [{impute: mean}, standardize]}
  - {columns: [weather], steps: [one_hot]}
model: {family: xgboost, params: {n_estimators: 80}}
search:
  space:
    max_depth: {int: [2, 6]}
    learning_rate: {log_uniform: [0.05, 0.3]}
  trials: 6
gates:
  - {metric: rmse, at_most: 25}
register: {alias: challenger}
"""
_N_ROWS: Final = 600
_WEATHER: Final = ("sun", "cloud", "rain")


def init_project(folder: Path) -> list[Path]:
    """Fill a folder with a project that runs as it is.

    Args:
        folder: Where; made if absent.

    Returns:
        The files written.

    Raises:
        ConflictError: One of the files exists already; nothing is written then.
    """
    content = {
        folder / "pipeline.yaml": _CONFIG.encode(),
        folder / "data" / "bikes.csv": _table(),
        folder / ".mlops_ray" / ".gitignore": b"*\n",
    }
    taken = [path for path in content if path.exists()]
    if taken:
        raise ConflictError(
            f"{taken[0]} exists already", hint="choose an empty folder: mlops-ray init NEW_FOLDER"
        )
    for path, data in content.items():
        write_atomically(path, data)
    return list(content)


def _table() -> bytes:
    """Rentals of bicycles an hour: made up by a formula, so that the example has no licence."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["hour_id", "hour", "temperature_c", "weather", "rentals"])
    for i in range(_N_ROWS):
        hour = i % 24
        temperature = 12 + 10 * ((i * 37) % 101 - 50) / 50
        weather = _WEATHER[(i * i + i // 7) % 3]
        peak = 60 if hour in {8, 17, 18} else 20 if 6 < hour < 22 else 0
        noise = ((i * 7919) % 23) - 11
        rentals = 40 + peak + 2.5 * temperature - 25 * (weather == "rain") + noise
        cell = "" if i % 41 == 0 else f"{temperature:.1f}"
        rows.writerow([i, hour, cell, weather, max(0, round(rentals))])
    return text.getvalue().encode()
