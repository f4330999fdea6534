"""Ingest: the one pass over the data, for fingerprint, contract, split and statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_ray.data.contract_check import judge_scan
from mlops_ray.data.find_ids import find_ids
from mlops_ray.data.find_strata import find_strata
from mlops_ray.data.quarantine import find_bad_files, quarantine_to_bytes
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.manifest import canonical_bytes
from mlops_ray.pipeline.context import Finished

if TYPE_CHECKING:
    from mlops_ray.data.unit_map import UnitMap
    from mlops_ray.pipeline.context import Context

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Read every row once; a stratified split looks at key and target first.

    Files that cannot be read are found by a pass of their own, where they are to be left out.

    Raises:
        DataError: The data cannot be read, or a file changed meanwhile. That they break the
            contract is no error here: the outcome is kept, and the next stages refuse them.
    """
    unit_map = context.unit_map()
    outputs = _quarantined(context, unit_map)
    reading = replace(context, done={"ingest": outputs})
    if context.spec.split.stratify:
        outputs |= _stratified(reading, unit_map)
        reading = replace(context, done={"ingest": outputs})
    plan = ScanPlan(context.schema, reading.split_rows, context.check, context.supervision)
    found = find_ids(scan(reading.units, plan, unit_map), plan, reading.units, unit_map)
    outcome = judge_scan(found, plan, reading.units, unit_map)
    engine, facts = reading.facts_of_reading(unit_map)
    name = context.put("scan", found.to_bytes(), value=found, again=True)
    outputs |= {"fingerprint": found.fingerprint, "scan": name}
    if not context.spec.data.order_by:  # Else no order of the input shows in anything.
        outputs["ordered_fingerprint"] = found.ordered_fingerprint
    if outcome is not None:
        outputs["contract"] = context.put("contract", outcome.to_bytes(), value=outcome)
    return Finished(outputs, engine, {**facts, "rows": found.n_rows})


def _stratified(reading: Context, unit_map: UnitMap) -> dict[str, str]:
    """Where the parts of each class end, as an output."""
    strata = find_strata(reading.schema, reading.split_rows, reading.check, reading.units, unit_map)
    return {"strata": reading.put("strata", canonical_bytes(strata.to_json()), value=strata)}


def _quarantined(context: Context, unit_map: UnitMap) -> dict[str, str]:
    """The list of files to be left out, as an output; none where there are none."""
    data = context.spec.data
    if data.on_bad_file == "fail":
        return {}
    bad = find_bad_files(context.files, context.schema, context.casts, unit_map)
    if not bad:
        return {}
    for file in bad:
        context.progress.note(f"left out {file.name}: {file.reason}")
    return {"quarantine": context.put("quarantine", quarantine_to_bytes(bad))}
