"""The records that the stages of a pipeline left when it last ran, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import ManifestError, StoreError
from mlops_ray.manifest import StageRecord, from_canonical, list_runs
from mlops_ray.pipeline.declared import STAGE_NAMES
from mlops_ray.pipeline.stage_cache import pointer_key

if TYPE_CHECKING:
    from mlops_ray.manifest import RunRecord, Spec
    from mlops_ray.storage import ObjectStore, Workspace

__all__ = ["last_records"]


def last_records(workspace: Workspace, spec: Spec) -> dict[str, StageRecord]:
    """Stage -> its record in the latest run of a pipeline of this name that knew it.

    Runs and records that cannot be read are passed over: they are nothing to compare with, and
    `store verify` names them.
    """
    found: dict[str, StageRecord] = {}
    for run in reversed(list_runs(workspace)):
        if len(found) == len(STAGE_NAMES):
            break
        if run.announced().get("name") != spec.name or not run.is_sealed():
            continue
        for name, key in _keys(run).items():
            record = None if name in found else _record(workspace.store, key)
            if record is not None:
                found[name] = record
    return found


def _keys(run: RunRecord) -> dict[str, str]:
    try:
        return {stage.name: stage.key for stage in run.envelope().stages}
    except (ManifestError, StoreError):
        return {}


def _record(store: ObjectStore, key: str) -> StageRecord | None:
    try:
        pointer = store.read_record(pointer_key(key))
        if pointer is None:
            return None
        return StageRecord.from_bytes(store.get(str(from_canonical(pointer)["record"])))
    except (ManifestError, StoreError, KeyError, TypeError):
        return None
