"""Takes an exported run into a store: verified first, objects next, the pointer last.

Until the pointer is written no run leads to the objects, so an import that dies leaves nothing to
see but garbage, and the same import again ends as if it had not died.
"""

from __future__ import annotations

import fcntl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ConflictError, DigestMismatchError
from mlops_ray.manifest.archive import raise_first_problem
from mlops_ray.manifest.envelope import Envelope
from mlops_ray.manifest.exported_run import ExportedRun, open_export
from mlops_ray.manifest.import_check import check_import
from mlops_ray.manifest.run_record import RunRecord
from mlops_ray.manifest.run_source import POINTER
from mlops_ray.manifest.verify import pointed_envelope, verify_source
from mlops_ray.storage.atomic import TEMPORARY_PREFIX
from mlops_ray.storage.process_lock import process_lock

if TYPE_CHECKING:
    from mlops_ray.manifest.export_listing import Piece
    from mlops_ray.storage import ObjectStore, Workspace

__all__ = ["Imported", "import_run"]

# Larger objects go through a file, so that memory stays bounded.
_IN_MEMORY_BYTES: Final = 8 << 20
_LOG: Final = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        run_id: The run.
        n_objects: Objects that its export holds.
        was_there: Whether the store had the run already.
        healed: What of a run that was there was damaged or missing, and is whole now: digests of
            objects, and its log.
        signatures: Beginnings of the ids of keys whose signatures are new here, or mended.
    """

    run_id: str
    n_objects: int
    was_there: bool
    healed: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()


def import_run(path: Path, workspace: Workspace) -> Imported:
    """Bring a folder or a tar that `export_run` wrote into a store.

    Raises:
        NotFoundError: There is nothing at `path`.
        ManifestError: It is not an export.
        DigestMismatchError: Something in it is not what the manifest says; nothing is visible.
        ConflictError: The store has another run of this id, or one that is going on.
        StoreError: The store cannot be written.
        ConfigError: The run seems to hold a secret; nothing is visible.
    """
    source = open_export(path)
    raise_first_problem(f"in {path.name}", verify_source(source))
    envelope = Envelope.from_bytes(source.read(pointed_envelope(source.pointer())))
    check_import(source, envelope)
    lock = workspace.store_root / "locks" / f"import-{envelope.run_id}.lock"
    workspace.prepare()
    with process_lock(lock), workspace.store.lease() as store:
        was_there = _is_there(RunRecord(workspace, envelope.run_id), source)
        names = source.names()
        checked = store.fresh()
        broken = [name for name in names if was_there and not checked.is_whole(name)]
        for name in names:
            _put(source, name, store)
        written = _write_records(source, envelope, store)
    stems = sorted({file.partition(".")[0] for file in written if file != _LOG})
    logs = [_LOG] if was_there and _LOG in written else []
    return Imported(envelope.run_id, len(names), was_there, (*broken, *logs), tuple(stems))


def _is_there(record: RunRecord, source: ExportedRun) -> bool:
    """Whether the store has this very run."""
    there = record.workspace.store.read_record(f"runs/{record.run_id}/{POINTER}")
    if there is None and not record.folder.exists():
        return False
    got = record.state() if there is None else pointed_envelope(there)
    wanted = pointed_envelope(source.pointer())
    if got not in {"interrupted", wanted}:  # An import that died looks like a run that died.
        raise ConflictError(
            f"the store has another run {record.run_id}",
            got,
            wanted,
            "import it into a store of its own with --store",
        )
    return got == wanted


def _write_records(source: ExportedRun, envelope: Envelope, store: ObjectStore) -> list[str]:
    """Write the records, the pointer last; returns the files that were missing or others."""
    folder = f"runs/{envelope.run_id}"
    records = {f"{folder}/signatures/{file}": data for file, data in source.signatures().items()}
    records[f"{folder}/{_LOG}"] = store.get(envelope.log)
    others = [key for key, data in records.items() if store.read_record(key) != data]
    for key, data in records.items():
        store.write_record(key, data)
    store.write_record(f"{folder}/{POINTER}", source.pointer() or b"")
    return [key.rpartition("/")[2] for key in others]


def _put(source: ExportedRun, name: str, store: ObjectStore) -> None:
    piece = source.piece(name)
    if piece is None:
        raise DigestMismatchError(f"object {name} is missing from {source.path.name}")
    if piece.size_bytes <= _IN_MEMORY_BYTES:
        got = store.put(b"".join(piece.chunks()))
    else:
        got = _put_large(piece, store)
    if got != name:
        raise DigestMismatchError(
            f"object {name} changed while it was imported", got, name, "import the run again"
        )


def _put_large(piece: Piece, store: ObjectStore) -> str:
    """Put an object by way of a file; what a tar holds is no file yet."""
    if not piece.is_in_tar:
        return store.put_file(piece.path)
    with tempfile.NamedTemporaryFile(prefix=TEMPORARY_PREFIX, dir=store.root) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # Those that nobody locks are swept.
        for data in piece.chunks():
            stream.write(data)
        stream.flush()
        return store.put_file(Path(stream.name))
