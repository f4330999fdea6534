"""`data snapshot`: the exact inputs of a pipeline file, copied into the store and kept there.

A record of the store points to the list of the copies, so that no garbage collection takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.manifest import canonical_bytes
from mlops_ray.pipeline.circumstances import as_given
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.pipeline.pin import pin_inputs
from mlops_ray.storage import hex_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.data.source import InputFile
    from mlops_ray.pipeline.resolve import Resolved
    from mlops_ray.storage import DigestCache, ObjectStore

__all__ = ["SNAPSHOT_SCHEMA", "SnapshotReport", "keep_inputs"]

SNAPSHOT_SCHEMA: Final = "mlops-ray/snapshot/v1"


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """Copies of inputs in the store.

    Attributes:
        name: Name of the pipeline.
        source: Where they were read, as given; of an absolute path the last part alone.
        snapshot: Digest of the list of the copies, which is an object of the store.
        inputs: The copies.
    """

    name: str
    source: str
    snapshot: str
    inputs: list[InputFile]

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/snapshot/v1``."""
        return {
            "name": self.name,
            "source": self.source,
            "snapshot": self.snapshot,
            "size_bytes": sum(file.size_bytes for file in self.inputs),
            "inputs": [
                {
                    "name": file.name,
                    "format": file.format,
                    "sha256": file.sha256,
                    "size_bytes": file.size_bytes,
                }
                for file in self.inputs
            ],
        }


def keep_inputs(
    resolved: Resolved, store: ObjectStore, digests: DigestCache, root: Path
) -> SnapshotReport:
    """Copy the inputs and note where the list of them lies.

    Raises:
        SourceError: A file cannot be read, or is not the one whose digest is declared.
        StoreError: The store cannot be written, or a file changed while it was copied.
    """
    with store.lease() as leased:
        pinned = pin_inputs(resolved, ObjectList(leased), digests, root, copy_all=True)
        files = [item.file for item in pinned]
        listed = [
            {"path": file.name, "sha256": file.sha256, "size": file.size_bytes} for file in files
        ]
        name = leased.put(canonical_bytes({"schema": SNAPSHOT_SCHEMA, "files": listed}))
        key = f"snapshots/inputs-{hex_of(name)}.json"
        leased.write_record(key, canonical_bytes({"record": name}))
    config = resolved.loaded.config
    return SnapshotReport(config.name, as_given(resolved.source), name, files)
