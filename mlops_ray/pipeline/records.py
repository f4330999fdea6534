"""What ran and what was registered, for whoever asks: no Ray and no model library is loaded."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import GateError
from mlops_ray.manifest import find_run, list_runs, verify_run
from mlops_ray.pipeline.run import Run, RunSummary, load_run, summarize
from mlops_ray.registry import Registry
from mlops_ray.storage import find_workspace, project_root

if TYPE_CHECKING:
    from mlops_ray.manifest import Verification
    from mlops_ray.registry import Event, ModelVersion, Promotion

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
        run = load_run(find_run(self.workspace, name))
        # A rejected run may have made the bundle of an earlier, registered one; it registered none.
        if run.result is None or run.state != "sealed":
            return run
        bundle = run.result.model.bundle
        known = {model.model for model in self.registry.models()}
        versions = self.registry.versions(run.spec.name) if run.spec.name in known else []
        version = next((found for found in versions if found.bundle == bundle), None)
        return Run(run.record, run.envelope, run.spec, run.result, version)

    def log(self, name: str = "latest") -> list[dict[str, Any]]:
        """The log of a run, also while it runs or after it died.

        Raises:
            NotFoundError: No run, or more than one, fits.
        """
        path = find_run(self.workspace, name).log_path
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        # A killed process may have left its last line torn; all others end with a newline.
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def verify(self, name: str = "latest") -> Verification:
        """Check offline that every object of a run is there and whole.

        Raises:
            NotFoundError: No run, or more than one, fits.
            ManifestError: The run has no manifest to check.
        """
        return verify_run(find_run(self.workspace, name))

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

    def register(self, name: str, alias: str | None = None) -> ModelVersion:
        """Register the bundle of a run whose gates passed.

        Raises:
            GateError: The gates did not let the run through.
        """
        return register_run(load_run(find_run(self.workspace, name)), self.registry, alias)

    def promote(self, reference: str, alias: str = "champion") -> Promotion:
        """Point an alias at a version whose gates passed."""
        return self.registry.promote(reference, alias, actor=actor())

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
