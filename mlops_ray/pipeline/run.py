"""What a run looks like to a user: the three documents of its manifest behind plain names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.errors import ManifestError, NotFoundError, StoreError
from mlops_ray.manifest import (
    Envelope,
    GateFacts,
    Result,
    RunRecord,
    Spec,
    State,
    from_canonical,
    list_runs,
)

if TYPE_CHECKING:
    from mlops_ray.data.contract_outcome import ContractOutcome
    from mlops_ray.data.leakage import Hint
    from mlops_ray.data.profile import Profile
    from mlops_ray.data.split import SplitName
    from mlops_ray.manifest import QuarantinedFile
    from mlops_ray.registry import ModelVersion
    from mlops_ray.search.overview import SearchOverview
    from mlops_ray.storage import Workspace

__all__ = ["Run", "RunSummary", "load_run", "run_of_version", "summarize"]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended.

    Attributes:
        record: Its folder.
        envelope: Who, when, under which circumstances.
        spec: What was asked.
        result: What came out; None where the run failed before there was anything.
        version: The registered version, where there is one.
    """

    record: RunRecord
    envelope: Envelope
    spec: Spec
    result: Result | None
    version: ModelVersion | None = None

    @property
    def contract(self) -> ContractOutcome | None:
        """What came of the data contract; None where none was declared or none was judged."""
        found = [item.sha256 for item in self.envelope.objects if item.role == "contract"]
        if not found:
            return None
        # Here, so that the other commands about runs need not load Arrow.
        from mlops_ray.data.contract_outcome import ContractOutcome  # noqa: PLC0415

        return ContractOutcome.from_bytes(self.record.workspace.store.get(found[0]))

    def profile(self, part: SplitName | Literal["predictions"] = "train") -> Profile:
        """The statistics of a part of the split; those of train are the baseline of monitoring.

        Args:
            part: Or ``predictions``: what the model answers to the rows of test.

        Raises:
            NotFoundError: The run ended before there were any.
        """
        roles = {item.role: item.sha256 for item in self.envelope.objects}
        if f"profile {part}" not in roles:
            raise NotFoundError(f"run {self.run_id} has no profile of {part}", self.state)
        from mlops_ray.data.profile import Profile  # noqa: PLC0415 - as above

        stored = self.record.workspace.store.get(roles[f"profile {part}"])
        return Profile.from_json(from_canonical(stored))

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What in the data looks like a leak or tells nothing; none where there is no profile."""
        stored = [item.sha256 for item in self.envelope.objects if item.role == "hints"]
        if not stored:
            return ()
        from mlops_ray.data.leakage import read_hints  # noqa: PLC0415 - as above

        return read_hints(self.record.workspace.store.get(stored[0]))

    def search_overview(self) -> SearchOverview:
        """Its trials: leaderboard, parameter importance, learning curves, CPU-seconds.

        Raises:
            NotFoundError: The run ended before there were any.
        """
        found = [item.sha256 for item in self.envelope.objects if item.role == "trials"]
        if not found:
            raise NotFoundError(f"run {self.run_id} has no trials", self.state)
        from mlops_ray.search.overview import SearchOverview  # noqa: PLC0415 - as above
        from mlops_ray.search.trial import read_trial_table  # noqa: PLC0415 - as above

        facts = next((s.facts for s in self.envelope.stages if s.name == "search"), {})
        records = read_trial_table(self.record.workspace.store.get(found[0]))
        objective = self.spec.objective
        outcome = None if self.result is None else self.result.search
        chosen = None if outcome is None else outcome.best_index
        return SearchOverview(records, objective.metric, objective.mode, facts, chosen)

    @property
    def run_id(self) -> str:
        """Short id that sorts by time."""
        return self.envelope.run_id

    @property
    def spec_id(self) -> str:
        """Digest of what was asked."""
        return self.envelope.spec_id

    @property
    def result_id(self) -> str | None:
        """Digest of what came out; equal ids mean bit-identical outputs."""
        return self.envelope.result_id

    @property
    def state(self) -> State:
        """``sealed``, ``rejected`` or ``failed``."""
        return self.envelope.state

    @property
    def wall_s(self) -> float:
        """Seconds from freezing the spec to the gate, without Ray's start."""
        return self.envelope.wall_s

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics on the test split by name."""
        facts = self.result.metrics if self.result else []
        return {metric.name: metric.value for metric in facts if metric.split == "test"}

    @property
    def gates(self) -> list[GateFacts]:
        """Verdicts of the gates."""
        return self.result.gates if self.result else []

    @property
    def quarantined_files(self) -> list[QuarantinedFile]:
        """Input files that were left out because they could not be read."""
        return self.result.data.quarantined if self.result else []

    @property
    def model(self) -> dict[str, Any] | None:
        """Name, version and bundle of the registered model; None where nothing was registered."""
        if self.version is None:
            return None
        found = self.version
        return {"name": found.model, "version": found.version, "bundle": found.bundle}

    @property
    def model_reference(self) -> str:
        """``MODEL@VERSION`` for `Project.predictor` and the like.

        Raises:
            ManifestError: The run registered no model.
        """
        if self.version is None:
            raise ManifestError(f"run {self.run_id} registered no model", self.state)
        return f"{self.version.model}@{self.version.version}"

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/run/v1``."""
        search = self.result.search if self.result else None
        outputs = {s.name: s.outputs for s in (self.result.stages if self.result else [])}
        return {
            "run_id": self.run_id,
            "name": self.spec.name,
            "spec_id": self.spec_id,
            "result_id": self.result_id,
            "determinism": self.result.determinism if self.result else None,
            "state": self.state,
            "parent": self.envelope.parent,
            "metrics": self.metrics,
            "gates": [gate.model_dump(mode="json") for gate in self.gates],
            "contract": self.contract.to_json() if self.contract else None,
            "hints": [hint.to_json() for hint in self.hints],
            "quarantined_files": [
                f.model_dump(mode="json", exclude_none=True) for f in self.quarantined_files
            ],
            "model": self.model,
            "stages": [
                {
                    "name": stage.name,
                    "key": stage.key,
                    "cache": stage.cache,
                    "wall_s": stage.wall_s,
                    "engine": stage.engine,
                    "outputs": outputs.get(stage.name, {}),
                }
                for stage in self.envelope.stages
            ],
            "trials": {
                "finished": search.n_finished if search else 0,
                "pruned": search.n_pruned if search else 0,
                "failed": search.n_failed if search else 0,
                "best": {
                    "index": search.best_index,
                    "params": search.best_params,
                    "value": search.best_value,
                }
                if search
                else None,
            },
            "wall_s": self.wall_s,
            "ray_start_s": self.envelope.ray_start_s,
            "peak_pss_bytes": self.envelope.peak_pss_bytes,
            "error": self.envelope.error.model_dump() if self.envelope.error else None,
        }


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line, also while it runs or after it died.

    Attributes:
        run_id: Its id.
        name: Name of the pipeline.
        state: Current state; ``damaged`` where its manifest cannot be read.
        started_at: RFC 3339, UTC.
        metric: ``name=value`` of the objective on the test split; empty before there is one.
        size_bytes: Bytes of the objects that its manifest names.
    """

    run_id: str
    name: str
    state: State | Literal["damaged"]
    started_at: str
    metric: str = ""
    size_bytes: int = 0


def load_run(record: RunRecord, version: ModelVersion | None = None) -> Run:
    """Read the documents of a run that has ended, each verified against its digest.

    Raises:
        ManifestError: The run has not ended.
        DigestMismatchError: A document is missing or damaged.
    """
    envelope = record.envelope()
    store = record.workspace.store
    spec = Spec.from_bytes(store.get(envelope.spec_id))
    result = Result.from_bytes(store.get(envelope.result_id)) if envelope.result_id else None
    return Run(record, envelope, spec, result, version)


def run_of_version(workspace: Workspace, version: ModelVersion) -> Run:
    """The run that made a version, or another sealed run of this store with the same bundle.

    Raises:
        NotFoundError: The store holds neither.
    """
    records = {record.run_id: record for record in list_runs(workspace)}
    if version.run_id in records:
        return load_run(records[version.run_id])
    for record in reversed(records.values()):
        if record.state() == "sealed":
            run = load_run(record)
            if run.result is not None and run.result.model.bundle == version.bundle:
                return run
    raise NotFoundError(
        f"this store holds no run that made {version.model}@{version.version}",
        f"store {workspace.store_root.name}",
        f"run {version.run_id}",
        "name the store it was made in with --store or MLOPS_RAY_STORE",
    )


def summarize(record: RunRecord) -> RunSummary:
    """A run in one line."""
    if not record.is_sealed():
        return _announced(record, record.state())
    try:
        run = load_run(record)
    except (ManifestError, StoreError):  # `verify` names what is wrong; the others still count.
        return _announced(record, "damaged")
    objective = run.spec.objective.metric
    value = run.metrics.get(objective)
    return RunSummary(
        record.run_id,
        run.spec.name,
        run.state,
        run.envelope.started_at,
        "" if value is None else f"{objective}={value:.4f}",
        sum(item.size_bytes for item in run.envelope.objects),
    )


def _announced(record: RunRecord, state: State | Literal["damaged"]) -> RunSummary:
    said = record.announced()
    started_at = said.get("started_at", record.made_at)
    return RunSummary(record.run_id, said.get("name", "?"), state, started_at)
