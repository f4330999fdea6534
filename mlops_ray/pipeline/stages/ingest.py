"""Ingest: the one pass over the data, for fingerprint, contract, split and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.data.contract_check import judge_scan
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.pipeline.context import Finished

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Read every row once.

    Raises:
        DataError: The data cannot be read, or a file changed meanwhile. That they break the
            contract is no error here: the outcome is kept, and the next stages refuse them.
    """
    unit_map = context.unit_map()
    plan = ScanPlan(context.schema, context.split_rows, context.check)
    found = scan(context.units, plan, unit_map)
    outcome = judge_scan(found, plan, context.units, unit_map)
    engine, facts = context.facts_of_reading(unit_map)
    name = context.put("scan", found.to_bytes(), value=found, again=True)
    outputs = {"fingerprint": found.fingerprint, "scan": name}
    if outcome is not None:
        outputs["contract"] = context.put("contract", outcome.to_bytes(), value=outcome)
    return Finished(outputs, engine, {**facts, "rows": found.n_rows})
