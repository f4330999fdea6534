"""Profile: the statistics of each part, held against the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.data.as_of import check_as_of
from mlops_ray.data.contract import check_contract
from mlops_ray.data.contract_outcome import ContractOutcome
from mlops_ray.data.described import described, hints_of
from mlops_ray.data.leakage import hints_to_bytes
from mlops_ray.data.profile import Profile
from mlops_ray.data.scan_result import Scan
from mlops_ray.data.split import SPLITS
from mlops_ray.data.weights import check_weights
from mlops_ray.manifest import canonical_bytes
from mlops_ray.pipeline.context import Finished

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context

__all__ = ["execute"]


def execute(context: Context) -> Finished:
    """Check the statistics and keep a summary; those of train are the baseline of monitoring.

    Raises:
        ContractError: A rule of the declared contract rejects the data.
        DataError: No model can be made of them.
    """
    if context.check is not None:
        context.value(context.output("ingest.contract"), ContractOutcome.from_bytes).check()
    found = context.value(context.output("ingest.scan"), Scan.from_bytes)
    data, declared = context.spec.data, context.spec.features
    if data.as_of is not None and data.time is not None:
        check_as_of(found, data.time, data.as_of)
    columns = dict.fromkeys(column for feature in declared for column in feature.columns)
    parts = [name for name in SPLITS if name != "valid" or context.spec.split.valid is not None]
    check_contract(found, data, columns, parts, data.pii)
    if data.weight is not None:
        check_weights(found, data.weight)
    outputs: dict[str, str] = {}
    profiles = {name: described(found, context.supervision, name) for name in SPLITS}
    for name, profile in profiles.items():
        document = profile.to_json()  # Shorter than the profile; later stages see it.
        content = canonical_bytes(document)
        outputs[name] = context.put(f"profile {name}", content, value=Profile.from_json(document))
    # Apart, since they know test rows: no later stage reads them.
    outputs["hints"] = context.put("hints", hints_to_bytes(hints_of(found, profiles["train"])))
    return Finished(outputs, "driver", {})
