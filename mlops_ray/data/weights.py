"""What has to hold of the column that says how much a row counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mlops_ray.data.column_profile import NumberProfile
from mlops_ray.data.histogram import Histogram
from mlops_ray.data.split import SPLITS
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from mlops_ray.data.scan_result import Scan
    from mlops_ray.data.schema import LogicalType, Schema

__all__ = ["check_weight_type", "check_weights"]

_FIRST_HUGE: Final = Histogram.of(np.array([2.0**127])).buckets[0]  # Beyond float32, or nearly.
_TYPES: Final = frozenset({"integer", "float", "decimal"})


def check_weight_type(schema: Schema, weight: str, where: Where) -> None:
    """Check, before the pass, that a column can hold weights.

    Raises:
        ColumnError: It holds no numbers.
    """
    found: LogicalType = schema[weight]
    if found not in _TYPES:
        hint = f"declare data.columns: {{{weight}: {{cast: float}}}}, or another column"
        raise ColumnError("weights are no numbers", found, " or ".join(sorted(_TYPES)), hint, where)


def check_weights(scan: Scan, weight: str) -> None:
    """Check what the pass found: each row has a weight, none is negative, some count.

    Raises:
        ColumnError: Rows have no weight, or one that cannot be used; says how many.
    """
    for part in SPLITS:
        column = scan.profiles[part].columns[weight]
        if not isinstance(column, NumberProfile):
            continue
        histogram = column.histogram
        n_negative = int(histogram.counts[histogram.buckets < 0].sum())
        for n_bad, what, hint in (
            (column.n_null, "have no weight", "give them one, 0 for a row that does not count"),
            (n_negative, "have a negative weight", "give them 0 or more, or drop them"),
            (_n_huge(column), "have an infinite or huge weight", "give them one below 1e38"),
        ):
            if n_bad:
                raise ColumnError(
                    f"rows {what}",
                    f"{n_bad} of the {column.n_rows} rows of {part}",
                    "none",
                    hint,
                    Where(key=weight),
                )
    train = scan.profiles["train"].columns[weight]
    if isinstance(train, NumberProfile) and not train.maximum:
        got = f"0 in all {train.n_rows} training rows"
        raise ColumnError("no row counts", got, "weights above 0", where=Where(key=weight))


def _n_huge(column: NumberProfile) -> int:
    histogram = column.histogram
    return column.n_extreme + int(histogram.counts[histogram.buckets >= _FIRST_HUGE].sum())
