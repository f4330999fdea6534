"""What ran and what was registered, for whoever asks: no Ray and no model library is loaded."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import GateError
from mlops_ray.manifest import diff_runs, find_run, list_runs, load_documents
from mlops_ray.pipeline import transfer
from mlops_ray.pipeline.admission import admission_of
from mlops_ray.pipeline.reproduce import reproduce
from mlops_ray.pipeline.run import Run, RunSummary, load_run, run_of_version, summarize
from mlops_ray.pipeline.store_care import STAGES_UNUSED_DAYS, collect_store, verify_store
from mlops_ray.pipeline.threshold import threshold_bytes
from mlops_ray.pipeline.unfinished_run import UnfinishedRun, find_ended_run, look_at
from mlops_ray.storage import find_workspace, project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config.environment import OnDifference
    from mlops_ray.features.feature_set import FeatureSet
    from mlops_ray.features.feature_set_diff import FeatureSetDiff
    from mlops_ray.manifest import RunDiff, Verification
    from mlops_ray.pipeline.feature_sets import FoundFeatureSet
    from mlops_ray.pipeline.reproduce import EnvironmentChoice, Reproduction
    from mlops_ray.pipeline.store_care import Collection, StoreVerification
    from mlops_ray.pipeline.tracker import Tracker
    from mlops_ray.pipeline.transfer import Exported, Imported
    from mlops_ray.registry import Event, FeatureSetVersion, ModelVersion, Promotion, Registry
    from mlops_ray.runtime.environment_difference import EnvironmentDifference

__all__ = ["Records", "actor", "register_run"]


def actor() -> str:
    """Name of who acts, for records."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container may run under a number that has no name.
        return "unknown"


class Records:
    """Runs and model versions of one store and registry, to be read, checked and promoted.

    Args:
        root: Where to look for the project root; the current folder by default.
        store: Folder of the store; else ``MLOPS_RAY_STORE``; else ``.mlops_ray/store``.
        registry: Path or URL; else ``MLOPS_RAY_REGISTRY``; else ``.mlops_ray/registry.db``.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        store: str | Path | None = None,
        registry: str | Path | None = None,
    ) -> None:
        self.root = project_root(Path(root or "."))
        self.workspace = find_workspace(self.root, store, registry)

    @property
    def registry(self) -> Registry:
        """The registry of model versions."""
        # SQLAlchemy is a quarter of what `plan` would load, and it asks no registry.
        from mlops_ray.registry import Registry  # noqa: PLC0415

        return Registry(self.workspace.registry)

    def runs(self) -> list[RunSummary]:
        """All runs in one line each, newest last."""
        return [summarize(record) for record in list_runs(self.workspace)]

    def run(self, name: str = "latest") -> Run:
        """A run that has ended, by id, beginning of an id, or ``latest``.

        Raises:
            NotFoundError: No run, or more than one, fits.
            ManifestError: The run has not ended.
        """
        run = load_run(find_ended_run(self.workspace, name))
        # A rejected run may have made the bundle of an earlier, registered one; it registered none.
        if run.result is None or run.state != "sealed":
            return run
        bundle = run.result.model.bundle
        known = {model.model for model in self.registry.models()}
        versions = self.registry.versions(run.spec.name) if run.spec.name in known else []
        version = next((found for found in versions if found.bundle == bundle), None)
        return Run(run.record, run.envelope, run.spec, run.result, version)

    def show(self, name: str = "latest") -> Run | UnfinishedRun:
        """A run in whatever state it is; of one that has not ended, what is known of it.

        Raises:
            NotFoundError: No run, or more than one, fits.
        """
        record = find_run(self.workspace, name)
        return self.run(record.run_id) if record.is_sealed() else look_at(record)

    def log(self, name: str = "latest") -> list[dict[str, Any]]:
        """The log of a run, also while it runs or after it died.

        Raises:
            NotFoundError: No run, or more than one, fits.
        """
        return find_run(self.workspace, name).log_lines()

    def verify(
        self,
        target: str | Path = "latest",
        *,
        keys: Sequence[str | Path] = (),
        require_signature: bool = False,
    ) -> Verification:
        """Check offline that everything of a run is there and whole; see `pipeline.transfer`."""
        return transfer.verify(self.workspace, target, keys, require_signature=require_signature)

    def diff(self, a: str, b: str) -> RunDiff:
        """Where two runs that have ended differ, and whether their metrics may be compared.

        Raises:
            NotFoundError: No run, or more than one, fits one of the names.
            ManifestError: One of them has not ended, or a document of it is missing or damaged.
        """
        first, second = (find_ended_run(self.workspace, name) for name in (a, b))
        return diff_runs(load_documents(first), load_documents(second))

    def export_run(self, name: str, out: str | Path) -> Exported:
        """Write a run with all it needs to a folder, or to a tar; see `manifest.archive`."""
        return transfer.export_run(find_ended_run(self.workspace, name), Path(out))

    def export_to_tracker(self, name: str, tracker: Tracker, out: str) -> int:
        """Write a run for TensorBoard or MLflow; see `pipeline.tracker`."""
        from mlops_ray.pipeline.tracker import export_to_tracker  # noqa: PLC0415 - seldom wanted

        return export_to_tracker(load_run(find_ended_run(self.workspace, name)), tracker, out)

    def import_run(self, path: str | Path) -> Imported:
        """Bring an exported run into this store; see `manifest.archive_import`."""
        return transfer.import_run(Path(path), self.workspace)

    def sign_run(self, name: str, key: str | Path, *, passphrase_env: str | None = None) -> str:
        """Sign a run with an Ed25519 key; returns the key's id. See `manifest.signing`."""
        return transfer.sign_run(find_ended_run(self.workspace, name), Path(key), passphrase_env)

    def reproduce(
        self,
        name: str = "latest",
        *,
        data: str | None = None,
        environment: EnvironmentChoice = "current",
        tolerance: float | None = None,
        num_cpus: int | None = None,
        address: str | None = None,
        in_process_below_bytes: int | None = None,
    ) -> Reproduction:
        """Execute a run again from its record alone and compare; see `pipeline.reproduce`.

        Raises:
            NotFoundError: No run, or more than one, fits.
            DigestMismatchError: An object of the run is missing or damaged.
            SourceError: An input is found nowhere, or has other bytes.
        """
        return reproduce(
            load_run(find_ended_run(self.workspace, name)),
            data=data,
            environment=environment,
            tolerance=tolerance,
            num_cpus=num_cpus,
            address=address,
            in_process_below_bytes=threshold_bytes(in_process_below_bytes),
        )

    def verify_store(self, *, read_data: bool = False) -> StoreVerification:
        """Check that all runs, stages and versions have what they need in the store.

        Args:
            read_data: Read every object and compute its digest anew.

        Raises:
            NotFoundError: There is no store.
        """
        return verify_store(self.workspace, self.registry, read_data=read_data)

    def collect_garbage(
        self, *, dry_run: bool = False, stages_unused_days: float | None = STAGES_UNUSED_DAYS
    ) -> Collection:
        """Delete the objects that no run, stage or version needs; safe while others write.

        Args:
            dry_run: Delete nothing, only say what would be.
            stages_unused_days: Forget cached stages that no run used for this long; None keeps all.

        Raises:
            NotFoundError: There is no store.
            ManifestError: A record cannot be read, so nothing was deleted.
        """
        return collect_store(
            self.workspace, self.registry, dry_run=dry_run, stages_unused_days=stages_unused_days
        )

    def versions(self) -> list[ModelVersion]:
        """All versions of all models."""
        registry = self.registry
        return [v for model in registry.models() for v in registry.versions(model.model)]

    def version(self, reference: str) -> ModelVersion:
        """The version that ``MODEL@ALIAS``, ``MODEL@7`` or ``MODEL`` names.

        Raises:
            NotFoundError: There is no such model, alias or version.
        """
        return self.registry.resolve(reference)

    def check_environment(
        self, reference: str, *, on_difference: OnDifference | None = None
    ) -> EnvironmentDifference:
        """How this environment differs from that of the run that made a version.

        Args:
            reference: ``MODEL@ALIAS`` or ``MODEL@VERSION``.
            on_difference: Instead of what the pipeline file declared.

        Raises:
            NotFoundError: There is no such version, or the store does not hold its run.
            NotPermittedError: It differs in what can change an answer, and the policy is to refuse.
        """
        run = run_of_version(self.workspace, self.version(reference))
        return admission_of(run, on_difference).check()

    def register(self, name: str, alias: str | None = None) -> ModelVersion:
        """Register the bundle of a run whose gates passed.

        Raises:
            GateError: The gates did not let the run through.
        """
        return register_run(load_run(find_ended_run(self.workspace, name)), self.registry, alias)

    def promote(self, reference: str, alias: str = "champion") -> Promotion:
        """Point an alias at a version whose gates passed."""
        return self.registry.promote(reference, alias, actor=actor())

    def feature_sets(self) -> list[FeatureSetVersion]:
        """All versions of all registered feature sets."""
        return self.registry.feature_sets.versions()

    def find_features(self, reference: str = "latest") -> FoundFeatureSet:
        """A feature set with what is known of it here.

        Args:
            reference: ``NAME``, ``NAME@VERSION``, the digest of a set, or a run.

        Raises:
            NotFoundError: There is no such set and no such run.
            ManifestError: The run has no features.
            DigestMismatchError: The store does not hold the set.
        """
        from mlops_ray.pipeline.feature_sets import find_feature_set  # noqa: PLC0415 - model libraries

        return find_feature_set(self.workspace, self.registry.feature_sets, reference)

    def feature_set(self, reference: str) -> FeatureSet:
        """A feature set; see `find_features`."""
        return self.find_features(reference).feature_set

    def register_features(self, run: str, name: str) -> FeatureSetVersion:
        """Give the features of a run a name and a version; equal ones keep theirs.

        Raises:
            GateError: A declared example does not hold.
        """
        from mlops_ray.pipeline.feature_sets import register_feature_set  # noqa: PLC0415

        found = self.find_features(run)
        return register_feature_set(found, self.registry.feature_sets, name, actor())

    def diff_features(self, a: str, b: str) -> FeatureSetDiff:
        """Where two feature sets differ; see `find_features` for the names."""
        from mlops_ray.features.feature_set_diff import diff_feature_sets  # noqa: PLC0415 - Arrow

        return diff_feature_sets(self.feature_set(a), self.feature_set(b))

    def history(self, model: str) -> list[Event]:
        """Every registration and promotion of a model, oldest first."""
        return self.registry.history(model)


def register_run(run: Run, registry: Registry, alias: str | None) -> ModelVersion:
    """Register the bundle of a run; an append-only effect that cites run and bundle.

    Raises:
        GateError: The gates did not let the run through.
    """
    if run.result is None or run.state != "sealed":
        raise GateError(
            f"run {run.run_id} cannot be registered",
            run.state,
            "a sealed run whose gates passed",
            "see `mlops-ray runs show` for its verdicts",
        )
    return registry.register(
        run.spec.name,
        bundle=run.result.model.bundle,
        run_id=run.run_id,
        spec_id=run.spec_id,
        result_id=run.envelope.result_id or "",
        metrics=run.metrics,
        gates=[gate.model_dump(mode="json", exclude_none=True) for gate in run.gates],
        actor=actor(),
        alias=alias,
    )
