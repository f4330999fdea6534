"""What the stages of a pipeline left when they last ran, to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_ray.errors import ManifestError, StoreError
from mlops_ray.manifest import StageRecord, list_runs
from mlops_ray.pipeline.declared import STAGE_NAMES

if TYPE_CHECKING:
    from mlops_ray.manifest import Envelope, RunRecord, Spec
    from mlops_ray.storage import ObjectStore, Workspace

__all__ = ["LastStage", "last_stages"]


@dataclass(frozen=True, slots=True)
class LastStage:
    """A stage as it last ran.

    Attributes:
        key: Its key then.
        record: Its record; None where that is gone or damaged.
    """

    key: str
    record: StageRecord | None


def last_stages(workspace: Workspace, spec: Spec) -> dict[str, LastStage]:
    """Stage -> how it stands in the latest run of a pipeline of this name that knew it.

    A run holds on to the records of its stages, so they are there although the store may have
    forgotten the stages themselves. Runs that cannot be read are passed over: they are nothing to
    compare with, and `store verify` names them.
    """
    found: dict[str, LastStage] = {}
    for run in reversed(list_runs(workspace)):
        if len(found) == len(STAGE_NAMES):
            break
        if run.announced().get("name") != spec.name or not run.is_sealed():
            continue
        envelope = _envelope(run)
        if envelope is not None:
            found = _stages(workspace.store, envelope, found) | found
    return found


def _envelope(run: RunRecord) -> Envelope | None:
    try:
        return run.envelope()
    except (ManifestError, StoreError):
        return None


def _stages(
    store: ObjectStore, envelope: Envelope, known: dict[str, LastStage]
) -> dict[str, LastStage]:
    names = {item.role: item.sha256 for item in envelope.objects}
    return {
        stage.name: LastStage(stage.key, _record(store, names.get(f"stage {stage.name}")))
        for stage in envelope.stages
        if stage.name not in known
    }


def _record(store: ObjectStore, name: str | None) -> StageRecord | None:
    try:
        return None if name is None else StageRecord.from_bytes(store.get(name))
    except (ManifestError, StoreError):
        return None
