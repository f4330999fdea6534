"""Gate: the test metrics judged by the declared thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.manifest import MetricFacts, canonical_bytes, from_canonical
from mlops_ray.pipeline.context import Finished
from mlops_ray.pipeline.gates import judge

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context

__all__ = ["VERDICTS_SCHEMA", "execute"]

VERDICTS_SCHEMA: Final = "mlops-ray/verdicts/v1"


def execute(context: Context) -> Finished:
    """One verdict a gate, with the digest of the metrics as its evidence."""
    evidence = context.output("evaluate.metrics")
    content = from_canonical(context.store.get(evidence))
    metrics = [MetricFacts.model_validate(metric) for metric in content["metrics"]]
    values = {metric.name: metric.value for metric in metrics if metric.split == "test"}
    verdicts = judge(context.spec.gates, values, evidence)
    written = [verdict.model_dump(mode="json", exclude_none=True) for verdict in verdicts]
    name = context.put("verdicts", canonical_bytes({"schema": VERDICTS_SCHEMA, "gates": written}))
    return Finished({"verdicts": name}, "driver", {})
