"""What the registry hands out: versions, summaries, promotions and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Event", "ModelSummary", "ModelVersion", "Promotion", "Verdict", "verdict_of"]

Verdict = Literal["PASS", "FAIL", "UNKNOWN", "OVERRIDDEN"]
_PASSING = frozenset({"PASS", "OVERRIDDEN"})


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One immutable version of a model.

    Attributes:
        model: Name of the model.
        version: Number, from 1 without gaps.
        bundle: Digest of the bundle's tree.
        run_id: Run that first made this bundle.
        spec_id: What that run was asked.
        result_id: What came out of it.
        metrics: Metric name -> value on the test split.
        gates: Verdicts as the run's result records them.
        verdict: The gates' verdicts together.
        aliases: Aliases that point here, sorted.
        actor: Who registered it.
        registered_at: When, ISO 8601 in UTC; the order of versions is their number, not this.
    """

    model: str
    version: int
    bundle: str
    run_id: str
    spec_id: str
    result_id: str
    metrics: dict[str, float]
    gates: list[dict[str, Any]]
    verdict: Verdict
    aliases: tuple[str, ...]
    actor: str
    registered_at: str

    @property
    def may_serve(self) -> bool:
        """Whether the gates let this version through, so that an alias may point at it."""
        return self.verdict in _PASSING


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model in one line: its newest version and where its aliases point."""

    model: str
    n_versions: int
    latest: int
    aliases: dict[str, int]


@dataclass(frozen=True, slots=True)
class Promotion:
    """Where an alias points now.

    Attributes:
        model: Name of the model.
        alias: The alias.
        version: Version it points at.
        previous: Version it pointed at before; None where the alias is new.
        rev: How often the alias has moved; the value for ``expected_rev`` next time.
        has_moved: False where the alias pointed there already and nothing was written.
    """

    model: str
    alias: str
    version: int
    previous: int | None
    rev: int
    has_moved: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One link of the append-only chain.

    Attributes:
        seq: Place in the chain, from 1 without gaps; the order of events.
        model: Model it concerns, or the feature set of a ``feature_set``.
        kind: ``registered``, ``promoted``, ``deployed`` or ``feature_set``.
        actor: Who did it.
        at: When, ISO 8601 in UTC.
        body: What happened.
        previous: Digest of the link before; empty for the first.
        digest: Digest over all of the above.
    """

    seq: int
    model: str
    kind: str
    actor: str
    at: str
    body: dict[str, Any]
    previous: str
    digest: str


def verdict_of(gates: list[dict[str, Any]]) -> Verdict:
    """The verdict of several gates: the worst of them, UNKNOWN where there is none.

    Example:
        >>> verdict_of([]), verdict_of([{"verdict": "PASS"}, {"verdict": "FAIL"}])
        ('UNKNOWN', 'FAIL')
    """
    found = {gate.get("verdict", "UNKNOWN") for gate in gates}
    if "FAIL" in found:
        return "FAIL"
    if not found or not found <= _PASSING:
        return "UNKNOWN"
    return "OVERRIDDEN" if "OVERRIDDEN" in found else "PASS"
