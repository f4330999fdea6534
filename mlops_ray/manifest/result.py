"""The result: the deterministic part of what came out, from ingest to gate; `result_id`.

Equal ids mean bit-identical outputs. So it names no spec, no digest of input bytes, no package and
no path: two specs, say other cuts of the same rows into files, may give one result.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any, Literal

from pydantic import Field

from mlops_ray.manifest.document import Document, Part

__all__ = [
    "ContractFacts",
    "DataFacts",
    "GateFacts",
    "IntervalFacts",
    "MemberFacts",
    "MetricFacts",
    "ModelFacts",
    "QuarantineFacts",
    "QuarantinedFile",
    "Result",
    "SearchFacts",
    "SplitFacts",
    "StageOutputs",
    "ThresholdFacts",
]

Verdict = Literal["PASS", "FAIL", "UNKNOWN", "OVERRIDDEN"]


class QuarantinedFile(Part):
    """An input file that was left out because it could not be read.

    Attributes:
        name: Name of the input.
        reason: What is wrong with it.
        n_rows: Rows that were lost with it, as its footer tells; absent where nothing does.
    """

    name: str
    reason: str
    n_rows: int | None = None


class DataFacts(Part):
    """Logical identity of the table.

    Attributes:
        fingerprint: Of all rows that were read.
        n_rows: Their number.
        columns: Logical types of the columns.
        quarantined: Files that were left out; absent before 1.1, when none could be.
    """

    fingerprint: str
    n_rows: int
    columns: dict[str, str]
    quarantined: list[QuarantinedFile] = Field(default_factory=list, exclude_if=operator.not_)


class QuarantineFacts(Part):
    """Rows that one rule of the contract set aside; a row may be named by several.

    Attributes:
        rule: The rule's dotted key below ``data.contract``.
        counts: Part of the split -> rows; ``unassigned`` where a row has no key or no time.
    """

    rule: str
    counts: dict[str, int]


class ContractFacts(Part):
    """What came of the data contract.

    Attributes:
        verdict: ``WARN`` where a rule was broken that does not reject the data.
        outcome: Digest of the document with every rule, its counts and examples.
        set_aside: Part of the split -> rows left out of everything that follows.
        quarantined: The rules that did so.
    """

    verdict: Literal["PASS", "WARN"]
    outcome: str
    set_aside: dict[str, int]
    quarantined: list[QuarantineFacts]


class SplitFacts(Part):
    """Rows of one part of the split.

    Attributes:
        n_rows: Their number.
        membership: Fingerprint of these rows over all columns that the run reads.
    """

    n_rows: int
    membership: str


class SearchFacts(Part):
    """The trials, as a digest of their table, and the chosen one.

    Attributes:
        n_pruned: Trials that were cut short; absent where none was, and before 1.2.
        best_rounds: Rounds that the chosen one needed, where trials have patience; since 1.5.
    """

    trials: str
    n_finished: int
    n_failed: int
    n_pruned: int = Field(default=0, exclude_if=operator.not_)
    best_index: int
    best_params: dict[str, Any]
    best_value: float
    best_rounds: int | None = Field(default=None, exclude_if=partial(operator.is_, None))


class MemberFacts(Part):
    """One estimator of an ensemble.

    Attributes:
        trial: Index of the trial whose parameters it has.
        weight: How often its answer counts.
        digest: Of the tree of its files.
    """

    trial: int
    weight: int
    digest: str


class ThresholdFacts(Part):
    """From which probability on the second class is told.

    Attributes:
        threshold: That probability.
        cost: Mean cost of a validation row.
        cost_at_half: The same at a threshold of 0.5.
        n: Validation rows.
    """

    threshold: float
    cost: float
    cost_at_half: float
    n: int


class ModelFacts(Part):
    """The bundle and what it answers.

    Attributes:
        members: Of an ensemble, in their order; absent where one estimator answers.
        calibration: How probabilities were calibrated; absent where they were not.
        threshold: Absent where the most probable class is told. All three are new in 1.4.
    """

    bundle: str
    family: str
    classes: list[int | str | bool] | None = None
    members: list[MemberFacts] = Field(default_factory=list, exclude_if=operator.not_)
    calibration: str | None = None
    threshold: ThresholdFacts | None = None


class IntervalFacts(Part):
    """How far a metric moves when the rows that it is of are drawn again.

    Attributes:
        low: Where the middle `level` of the resamples begins.
        high: Where it ends.
        level: Share of the resamples between them.
        standard_error: Standard deviation of the resamples.
        resamples: How often rows were drawn.
        n_undefined: Resamples in which the metric was not defined; absent where there are none.
        drawn: Whether rows were drawn, or groups with all their rows.
    """

    low: float
    high: float
    level: float
    standard_error: float
    resamples: int
    n_undefined: int = Field(default=0, exclude_if=operator.not_)
    drawn: Literal["rows", "groups"] = "rows"


class MetricFacts(Part):
    """One metric on one split.

    Attributes:
        value: Of a metric on folds its mean over them.
        n: Rows that were scored.
        folds: Its value on each fold; absent where there are none, and before 1.3.
        interval: Absent where none is declared, and before 1.3.
    """

    name: str
    value: float
    split: Literal["valid", "test"]
    n: int
    folds: list[float] | None = Field(default=None, exclude_if=partial(operator.is_, None))
    interval: IntervalFacts | None = Field(default=None, exclude_if=partial(operator.is_, None))


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
    """What came out.

    Attributes:
        contract: Absent where none was declared, and before version 1.1.
    """

    schema_: Literal["mlops-ray/result/v1"] = "mlops-ray/result/v1"
    schema_version: str = "1.5"
    determinism: Literal["deterministic", "replayable"]
    data: DataFacts
    contract: ContractFacts | None = None
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
