"""Ingest: the one pass over the data, for fingerprint, split and statistics of every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.pipeline.context import Finished

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Read every row once.

    Raises:
        DataError: The data cannot be read, or a file changed meanwhile.
    """
    unit_map = context.unit_map()
    found = scan(context.units, ScanPlan(context.schema, context.split_rows), unit_map)
    engine, facts = context.facts_of_reading(unit_map)
    name = context.put("scan", found.to_bytes(), value=found, again=True)
    outputs = {"fingerprint": found.fingerprint, "scan": name}
    return Finished(outputs, engine, {**facts, "rows": found.n_rows})
