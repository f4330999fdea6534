"""The run manifest: spec, result and envelope as canonical JSON, their ids, and their check."""

from mlops_ray.manifest.canonical import canonical_bytes, digest_json, from_canonical
from mlops_ray.manifest.envelope import Envelope, ErrorFacts, ObjectFacts, StageFacts, State
from mlops_ray.manifest.result import (
    DataFacts,
    GateFacts,
    MetricFacts,
    ModelFacts,
    Result,
    SearchFacts,
    SplitFacts,
    StageOutputs,
)
from mlops_ray.manifest.run_record import RunRecord, find_run, list_runs, new_run
from mlops_ray.manifest.spec import CodeFacts, FeatureDeclaration, InputFacts, Spec, SpecData
from mlops_ray.manifest.verify import Problem, Verification, verify_run

__all__ = [
    "CodeFacts",
    "DataFacts",
    "Envelope",
    "ErrorFacts",
    "FeatureDeclaration",
    "GateFacts",
    "InputFacts",
    "MetricFacts",
    "ModelFacts",
    "ObjectFacts",
    "Problem",
    "Result",
    "RunRecord",
    "SearchFacts",
    "Spec",
    "SpecData",
    "SplitFacts",
    "StageFacts",
    "StageOutputs",
    "State",
    "Verification",
    "canonical_bytes",
    "digest_json",
    "find_run",
    "from_canonical",
    "list_runs",
    "new_run",
    "verify_run",
]
