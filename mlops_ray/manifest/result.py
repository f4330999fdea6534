"""The result: the deterministic part of what came out, from ingest to gate; `result_id`.

Equal ids mean bit-identical outputs. So it names no spec, no digest of input bytes, no package and
no path: two specs, say other cuts of the same rows into files, may give one result.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mlops_ray.manifest.document import Document, Part

__all__ = [
    "DataFacts",
    "GateFacts",
    "MetricFacts",
    "ModelFacts",
    "Result",
    "SearchFacts",
    "SplitFacts",
    "StageOutputs",
]

Verdict = Literal["PASS", "FAIL", "UNKNOWN", "OVERRIDDEN"]


class DataFacts(Part):
    """Logical identity of the table."""

    fingerprint: str
    n_rows: int
    columns: dict[str, str]


class SplitFacts(Part):
    """Rows of one part of the split.

    Attributes:
        n_rows: Their number.
        membership: Fingerprint of these rows over all columns that the run reads.
    """

    n_rows: int
    membership: str


class SearchFacts(Part):
    """The trials, as a digest of their table, and the chosen one."""

    trials: str
    n_finished: int
    n_failed: int
    best_index: int
    best_params: dict[str, Any]
    best_value: float


class ModelFacts(Part):
    """The bundle and what it answers."""

    bundle: str
    family: str
    classes: list[int | str | bool] | None = None


class MetricFacts(Part):
    """One metric on one split."""

    name: str
    value: float
    split: Literal["valid", "test"]
    n: int


class GateFacts(Part):
    """A gate's verdict with what it was judged by."""

    metric: str
    comparator: Literal[">=", "<="]
    threshold: float
    value: float | None = None
    verdict: Verdict
    evidence: str


class StageOutputs(Part):
    """Digests of what a stage put out."""

    name: str
    outputs: dict[str, str]


class Result(Document):
    """What came out."""

    schema_: Literal["mlops-ray/result/v1"] = "mlops-ray/result/v1"
    determinism: Literal["deterministic", "replayable"]
    data: DataFacts
    split: dict[str, SplitFacts]
    search: SearchFacts
    model: ModelFacts
    metrics: list[MetricFacts]
    gates: list[GateFacts]
    baseline: str
    stages: list[StageOutputs] = Field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """FAIL if any gate failed, UNKNOWN if none ran, else PASS."""
        verdicts = {gate.verdict for gate in self.gates}
        for candidate in ("FAIL", "UNKNOWN"):
            if candidate in verdicts:
                return candidate
        return "PASS" if verdicts else "UNKNOWN"
