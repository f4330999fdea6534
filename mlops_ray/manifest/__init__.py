"""The run manifest: spec, result and envelope as canonical JSON, their ids, and their check.

Names that only read, check or compare runs are loaded on first use: the stages of a pipeline import
the documents, and their code, by which they are found again, shall not grow by the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlops_ray.manifest.canonical import canonical_bytes, digest_json, from_canonical
from mlops_ray.manifest.envelope import (
    Envelope,
    ErrorFacts,
    InputProtection,
    ObjectFacts,
    StageFacts,
    State,
)
from mlops_ray.manifest.result import (
    ContractFacts,
    DataFacts,
    GateFacts,
    IntervalFacts,
    MemberFacts,
    MetricFacts,
    ModelFacts,
    QuarantinedFile,
    QuarantineFacts,
    Result,
    SearchFacts,
    SplitFacts,
    StageOutputs,
    ThresholdFacts,
)
from mlops_ray.manifest.spec import (
    CodeFacts,
    EnvironmentFacts,
    FeatureDeclaration,
    FeatureSetFacts,
    InputFacts,
    Spec,
    SpecData,
)

if TYPE_CHECKING:
    from mlops_ray.manifest.diff import RunDiff, diff_runs
    from mlops_ray.manifest.run_documents import RunDocuments, load_documents
    from mlops_ray.manifest.run_record import RunRecord, find_run, list_runs, new_run
    from mlops_ray.manifest.stage_record import StageRecord, key_of
    from mlops_ray.manifest.verification import Problem, SignatureCheck, Trust, Verification
    from mlops_ray.manifest.verify import verify_export, verify_run

__all__ = [
    "CodeFacts",
    "ContractFacts",
    "DataFacts",
    "Envelope",
    "EnvironmentFacts",
    "ErrorFacts",
    "FeatureDeclaration",
    "FeatureSetFacts",
    "GateFacts",
    "InputFacts",
    "InputProtection",
    "IntervalFacts",
    "MemberFacts",
    "MetricFacts",
    "ModelFacts",
    "ObjectFacts",
    "Problem",
    "QuarantineFacts",
    "QuarantinedFile",
    "Result",
    "RunDiff",
    "RunDocuments",
    "RunRecord",
    "SearchFacts",
    "SignatureCheck",
    "Spec",
    "SpecData",
    "SplitFacts",
    "StageFacts",
    "StageOutputs",
    "StageRecord",
    "State",
    "ThresholdFacts",
    "Trust",
    "Verification",
    "canonical_bytes",
    "diff_runs",
    "digest_json",
    "find_run",
    "from_canonical",
    "key_of",
    "list_runs",
    "load_documents",
    "new_run",
    "verify_export",
    "verify_run",
]

_HOME = {
    "Problem": "verification",
    "RunDiff": "diff",
    "RunDocuments": "run_documents",
    "RunRecord": "run_record",
    "SignatureCheck": "verification",
    "StageRecord": "stage_record",
    "Trust": "verification",
    "Verification": "verification",
    "diff_runs": "diff",
    "find_run": "run_record",
    "key_of": "stage_record",
    "list_runs": "run_record",
    "load_documents": "run_documents",
    "new_run": "run_record",
    "verify_export": "verify",
    "verify_run": "verify",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 hook
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
