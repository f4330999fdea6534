"""The tables that come with scikit-learn, as sources that need no download."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlops_ray.errors import SourceError

__all__ = ["bundled_table", "is_bundled"]

_PREFIX: Final = "sklearn:"
_TABLES: Final = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def is_bundled(source: object) -> bool:
    """Whether a declared source names one of scikit-learn's tables."""
    return isinstance(source, str) and source.startswith(_PREFIX)


def bundled_table(name: str) -> pa.Table:
    """One of scikit-learn's tables with its own column names, `target`, and a key `row` from 0.

    Args:
        name: Such as ``sklearn:iris``.

    Raises:
        SourceError: There is no such table.

    Example:
        >>> bundled_table("sklearn:iris").column_names[-2:]
        ['target', 'row']
    """
    short = name.removeprefix(_PREFIX)
    if short not in _TABLES:
        known = ", ".join(_PREFIX + table for table in _TABLES)
        raise SourceError("no such bundled table", repr(name), f"one of {known}")
    from sklearn import datasets  # noqa: PLC0415 - it takes a second, and a snapshot needs none

    table: dict[str, Any] = getattr(datasets, f"load_{short}")()
    values = np.asarray(table["data"], dtype=np.float64)
    columns: dict[str, np.ndarray] = {
        str(column): values[:, at] for at, column in enumerate(table["feature_names"])
    }
    target = np.asarray(table["target"])
    whole = np.issubdtype(target.dtype, np.integer)
    columns["target"] = target.astype(np.int64 if whole else np.float64)
    columns["row"] = np.arange(len(target), dtype=np.int64)
    return pa.table(columns)
