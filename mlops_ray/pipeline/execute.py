"""Executes a frozen spec, stage after stage, and nothing but the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.manifest import DataFacts, ModelFacts, Result
from mlops_ray.pipeline.data_stages import features, ingest, profile, split
from mlops_ray.pipeline.model_stages import evaluate, gate, refit, search

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context

__all__ = ["execute"]


def execute(context: Context) -> Result:
    """Run all stages; each hands digests to the next, so a first difference has a name.

    Raises:
        DataError: The data cannot be read or break the contract.
        SearchError: No trial gave a valid result.
    """
    found = ingest(context)
    parts = split(context, found)
    baseline = profile(context, found)
    prepared = features(context, found, baseline)
    chosen = search(context, prepared)
    bundle = refit(context, prepared, chosen)
    metrics = evaluate(context, prepared, bundle, chosen)
    verdicts = gate(context, metrics)
    result = Result(
        determinism="deterministic" if chosen.is_deterministic else "replayable",
        data=DataFacts(
            fingerprint=found.fingerprint, n_rows=found.n_rows, columns=dict(context.schema)
        ),
        split=parts,
        search=chosen.facts,
        model=ModelFacts(
            bundle=bundle.digest,
            family=context.spec.model.family,
            classes=list(prepared.labels) or None,
        ),
        metrics=metrics,
        gates=verdicts,
        baseline=baseline,
        stages=context.stages.outputs,
    )
    context.objects.put("result", result.to_bytes())
    return result
