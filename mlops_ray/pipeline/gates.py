"""The verdicts of the gates: metric, threshold, and the evidence they were judged by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_ray.manifest import GateFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.model import GateConfig

__all__ = ["judge"]


def judge(
    gates: Sequence[GateConfig], metrics: Mapping[str, float], evidence: str
) -> list[GateFacts]:
    """One verdict a gate: PASS, FAIL, or UNKNOWN where the metric has no finite value.

    Args:
        gates: Declared gates.
        metrics: Metric name -> value on the test split.
        evidence: Digest of the document that holds the metrics.
    """
    return [_verdict(gate, metrics.get(gate.metric), evidence) for gate in gates]


def _verdict(gate: GateConfig, value: float | None, evidence: str) -> GateFacts:
    threshold = gate.at_least if gate.at_least is not None else gate.at_most
    if (
        threshold is None
    ):  # Excluded by GateConfig; said here for the type checker and for SDK users.
        threshold = math.nan
    is_known = value is not None and math.isfinite(value)
    passed = is_known and (value >= threshold if gate.at_least is not None else value <= threshold)  # type: ignore[operator]
    return GateFacts(
        metric=gate.metric,
        comparator=">=" if gate.at_least is not None else "<=",
        threshold=threshold,
        value=value if is_known else None,
        verdict="PASS" if passed else "FAIL" if is_known else "UNKNOWN",
        evidence=evidence,
    )
