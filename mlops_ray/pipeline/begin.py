"""The beginning of a run: code captured, inputs pinned, spec frozen, and whose work it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_ray.manifest import Spec, list_runs
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.pipeline.circumstances import Circumstances
from mlops_ray.pipeline.freeze import Frozen, spec_of
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.pipeline.pin import pin_inputs
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.storage import fail_point

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.manifest import RunRecord
    from mlops_ray.pipeline.pin import Pinned
    from mlops_ray.pipeline.resolve import Resolved
    from mlops_ray.storage import DigestCache, ObjectStore, Workspace

__all__ = ["Start", "begin", "interrupted_run"]


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins with.

    Attributes:
        frozen: The spec, and where its bytes can be read.
        objects: What lies in the store already.
        folder: Where the captured code lies, for the workers.
        source: Where the rows come from, as given.
        pinned: The inputs.
    """

    frozen: Frozen
    objects: ObjectList
    folder: Path
    source: str
    pinned: list[Pinned]

    def circumstances(self, record: RunRecord, loaded: LoadedConfig, root: Path) -> Circumstances:
        """What will stand in the run's envelope; a dead run of the same spec is its parent."""
        parent = interrupted_run(record.workspace, self.frozen.spec.digest)
        protections = [item.protection() for item in self.pinned]
        found = Circumstances(record.run_id, loaded, root, self.source, protections, parent=parent)
        found.inputs_read()
        return found


def begin(
    resolved: Resolved,
    store: ObjectStore,
    digests: DigestCache,
    root: Path,
    num_cpus: int | None = None,
) -> Start:
    """Capture the code, pin the inputs and store the spec.

    Args:
        resolved: The pipeline file, held against its data.
        store: Under a lease.
        digests: Knows the digests of files that have not changed.
        root: Project root.
        num_cpus: CPUs that may be used; all by default.

    Raises:
        StoreError: The store cannot be written, or a file changed while it was copied.
        ConfigError: The code cannot be captured as it is.
    """
    objects = ObjectList(store)
    bundle = captured(root, resolved.loaded.config.code, store.root)
    objects.put("code archive", bundle.archive)
    objects.put("code tree", bundle.document)
    fail_point("run.code_stored")
    pinned = pin_inputs(resolved, objects, digests, root, num_cpus=num_cpus)
    files = [item.file for item in pinned]
    fail_point("run.inputs_pinned")
    if resolved.feature_set is not None:
        objects.put("feature set", resolved.feature_set.to_bytes())
    spec = spec_of(resolved, files, facts_of(bundle))
    # What runs is what was stored, read back: nothing that JSON does not keep, such as the order of
    # a mapping, can reach a result.
    spec = Spec.from_bytes(objects.store.get(objects.put("spec", spec.to_bytes())))
    frozen = Frozen(spec, files, bundle.files)
    folder = extracted(bundle, store.root)
    return Start(frozen, objects, folder, resolved.source, pinned)


def interrupted_run(workspace: Workspace, spec_id: str) -> str | None:
    """The latest run of a spec, if its process is gone; None where it ended or is alive."""
    for record in reversed(list_runs(workspace)):
        if record.announced().get("spec_id") == spec_id:
            return record.run_id if record.state() == "interrupted" else None
    return None
