"""Puts the result together from what the stages put out: a function of objects alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_ray.data.contract_outcome import ContractOutcome
from mlops_ray.data.quarantine import quarantine_from_bytes
from mlops_ray.manifest import (
    ContractFacts,
    DataFacts,
    GateFacts,
    MemberFacts,
    MetricFacts,
    ModelFacts,
    QuarantinedFile,
    QuarantineFacts,
    Result,
    SearchFacts,
    SplitFacts,
    ThresholdFacts,
    from_canonical,
)
from mlops_ray.pipeline.choice import choose
from mlops_ray.search.trial import read_trial_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.manifest import Spec, StageOutputs
    from mlops_ray.search.trial import TrialRecord
    from mlops_ray.storage import ObjectStore

__all__ = ["assemble"]


def assemble(spec: Spec, stages: Sequence[StageOutputs], store: ObjectStore) -> Result:
    """The deterministic part of what came out.

    Raises:
        DigestMismatchError: An output is missing or damaged.
    """
    done = {stage.name: stage.outputs for stage in stages}
    profiles = {name: _json(store, done["profile"][name]) for name in done["split"]}
    n_rows = {name: int(profile["n_rows"]) for name, profile in profiles.items()}
    trials = read_trial_table(store.get(done["search"]["trials"]))
    labels = _json(store, done["features"]["labels"])["labels"]
    return Result(
        determinism=_determinism(trials, spec.search.trials),
        contract=_contract(store, done["ingest"].get("contract")),
        data=DataFacts(
            fingerprint=done["ingest"]["fingerprint"],
            n_rows=sum(n_rows.values()),
            columns=dict(spec.data.columns),
            quarantined=_quarantined(done["ingest"], store),
        ),
        split={
            name: SplitFacts(n_rows=n_rows[name], membership=membership)
            for name, membership in done["split"].items()
        },
        search=_search_facts(done["search"]["trials"], trials, spec),
        model=_model(spec, done["refit"], store, labels),
        metrics=_listed(store, done["evaluate"]["metrics"], "metrics", MetricFacts),
        gates=_listed(store, done["gate"]["verdicts"], "gates", GateFacts),
        baseline=done["profile"]["train"],
        stages=list(stages),
    )


def _model(spec: Spec, refit: dict[str, str], store: ObjectStore, labels: list[Any]) -> ModelFacts:
    decided = _json(store, refit["decisions"]) if "decisions" in refit else {}
    members = [MemberFacts.model_validate(member) for member in decided.get("members", [])]
    threshold = decided.get("threshold")
    return ModelFacts(
        bundle=refit["bundle"],
        family=spec.model.family_name,
        classes=labels or None,
        members=members,
        calibration=decided.get("calibration"),
        threshold=None if threshold is None else ThresholdFacts.model_validate(threshold),
    )


def _contract(store: ObjectStore, name: str | None) -> ContractFacts | None:
    if name is None:
        return None
    outcome = ContractOutcome.from_bytes(store.get(name))
    return ContractFacts(
        verdict="PASS" if outcome.verdict == "PASS" else "WARN",
        outcome=name,
        set_aside=dict(outcome.set_aside),
        quarantined=[
            QuarantineFacts(rule=rule.rule, counts=dict(rule.counts))
            for rule in outcome.rules
            if rule.verdict == "QUARANTINED"
        ],
    )


def _quarantined(ingest: dict[str, str], store: ObjectStore) -> list[QuarantinedFile]:
    if "quarantine" not in ingest:
        return []
    bad = quarantine_from_bytes(store.get(ingest["quarantine"]))
    return [QuarantinedFile(name=f.name, reason=f.reason, n_rows=f.n_rows) for f in bad]


def _json(store: ObjectStore, name: str) -> dict[str, Any]:
    content: dict[str, Any] = from_canonical(store.get(name))
    return content


def _listed(store: ObjectStore, name: str, member: str, kind: type[Any]) -> list[Any]:
    return [kind.model_validate(item) for item in _json(store, name)[member]]


def _determinism(trials: Sequence[TrialRecord], n_declared: int) -> Any:  # noqa: ANN401 - a literal
    """Replayable where the machine, not the spec, decided a trial, or when the search ended."""
    is_cut_short = len(trials) < n_declared or any(t.is_by_the_machine for t in trials)
    return "replayable" if is_cut_short else "deterministic"


def _search_facts(table: str, trials: Sequence[TrialRecord], spec: Spec) -> SearchFacts:
    best = choose(spec, trials)
    n_finished = sum(record.status == "finished" for record in trials)
    n_pruned = sum(record.status == "pruned" for record in trials)
    return SearchFacts(
        trials=table,
        n_finished=n_finished,
        n_failed=len(trials) - n_finished - n_pruned,
        n_pruned=n_pruned,
        best_index=best.index,
        best_params=best.params,
        best_value=best.value if best.value is not None else float("nan"),
        best_rounds=best.rounds,
    )
