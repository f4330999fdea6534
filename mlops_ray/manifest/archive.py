"""Writes a run with all it needs as one folder or one tar, whole or not at all.

``run/sealed.json``, ``run/signatures/*`` and ``objects/<first 2 hex>/<64 hex>``: the layout of a
store for a single run, so that ``sha256sum`` can check it. A tar holds the same files sorted by
name, with fixed times and owners: two exports of a run are one byte string.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import DigestMismatchError
from mlops_ray.manifest.envelope import Envelope
from mlops_ray.manifest.export_listing import POINTER_MEMBER, SIGNATURE_FOLDER, object_member
from mlops_ray.manifest.export_target import ExportTarget, new_export_target
from mlops_ray.manifest.run_source import StoreSource
from mlops_ray.manifest.verify import verify_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_ray.manifest.run_record import RunRecord
    from mlops_ray.manifest.verification import Verification

__all__ = ["Exported", "export_run", "raise_first_problem"]

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: The folder or tar.
        run_id: Whose.
        n_objects: Objects in it, the envelope included.
        size_bytes: Their bytes.
        inputs_to_supply: Digests of inputs, by name, that were too large for the store.
    """

    path: Path
    run_id: str
    n_objects: int
    size_bytes: int
    inputs_to_supply: dict[str, str]


def export_run(record: RunRecord, out: Path) -> Exported:
    """Write a run to `out`: a tar where the name ends in ``.tar``, else a folder.

    Every object is verified while it is copied. Objects that can be computed again stay behind.

    Raises:
        ConflictError: `out` exists.
        DigestMismatchError: An object of the run is damaged; nothing is left at `out`.
        ManifestError: The run has not ended, or its manifest is damaged.
        StoreError: `out` cannot be written.
    """
    source = StoreSource(record)
    name = record.envelope_digest()
    with new_export_target(out) as target:
        found = verify_source(source, is_copied=True)
        raise_first_problem(record.run_id, found)
        envelope = Envelope.from_bytes(source.read(name))
        kept = sorted({name, *(o.sha256 for o in envelope.objects if not o.intermediate)})
        size_bytes = sum(_copy_object(record, item, target) for item in kept)
        for member, data in sorted(_records(source).items()):
            target.add(member, len(data), [data])
    return Exported(out, record.run_id, len(kept), size_bytes, found.inputs_to_supply)


def raise_first_problem(run: str, found: Verification) -> None:
    """Refuse to work with a run that is not whole.

    Raises:
        DigestMismatchError: It is not; the message names the first thing that is wrong.
    """
    if found.problems:
        first = found.problems[0]
        raise DigestMismatchError(
            f"run {run} is not whole: {first.role} {first.object}",
            first.got,
            first.expected,
            found.hint or f"`mlops-ray verify` lists all {len(found.problems)} problems",
        )


def _records(source: StoreSource) -> dict[str, bytes]:
    signatures = {SIGNATURE_FOLDER + file: data for file, data in source.signatures().items()}
    return {POINTER_MEMBER: source.pointer() or b"", **signatures}


def _copy_object(record: RunRecord, name: str, target: ExportTarget) -> int:
    """Copy an object, digesting what is written; returns its size."""
    path = record.workspace.store.verified_path(name)
    size_bytes = path.stat().st_size
    target.add(object_member(name), size_bytes, _verified(path, name, size_bytes))
    return size_bytes


def _verified(path: Path, name: str, size_bytes: int) -> Iterator[bytes]:
    """The bytes of a file, which are known to be right once the last was handed out."""
    hasher, left = hashlib.sha256(), size_bytes
    with path.open("rb") as stream:
        while left and (data := stream.read(min(left, _PIECE_BYTES))):
            hasher.update(data)
            left -= len(data)
            yield data
    got = f"sha256:{hasher.hexdigest()}"
    if got != name:
        raise DigestMismatchError(
            f"object {name} changed while it was copied", got, name, "export the run again"
        )
