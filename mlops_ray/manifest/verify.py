"""Offline check of a run: every object is there, whole, and the one its manifest names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_ray.errors import DigestMismatchError, ManifestError, StoreError
from mlops_ray.manifest.result import Result
from mlops_ray.manifest.spec import Spec
from mlops_ray.storage import digest_file

if TYPE_CHECKING:
    from mlops_ray.manifest.envelope import Envelope
    from mlops_ray.manifest.run_record import RunRecord
    from mlops_ray.storage import ObjectStore

__all__ = ["Problem", "Verification", "verify_run"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An object that is not what the manifest says.

    Attributes:
        object: Digest or name of the object.
        role: Its part in the run.
        expected: What the manifest says.
        got: What was found.
    """

    object: str
    role: str
    expected: str
    got: str


@dataclass(slots=True)
class Verification:
    """Outcome of a check.

    Attributes:
        n_objects: Objects looked at.
        problems: What is wrong, in the order of the manifest.
    """

    n_objects: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether something was checked and nothing is wrong."""
        return self.n_objects > 0 and not self.problems


def verify_run(record: RunRecord) -> Verification:
    """Check a run that has ended; needs neither Ray nor any model library.

    Raises:
        ManifestError: The run has no manifest to check.
    """
    outcome = Verification()
    try:
        name = record.envelope_digest()
    except ManifestError as error:
        if not record.pointer_path.exists():
            raise
        outcome.n_objects += 1
        outcome.problems.append(Problem("sealed.json", "pointer", "a digest", error.what))
        return outcome
    outcome.n_objects += 1
    try:
        envelope = record.envelope()
    except (ManifestError, StoreError) as error:
        outcome.problems.append(Problem(name, "envelope", name, error.got or error.what))
        _check_all(record.workspace.store, name, outcome)
        return outcome
    _check_identity(record, envelope, outcome)
    for item in envelope.objects:
        outcome.n_objects += 1
        got = _found(record.workspace.store, item.sha256)
        if got != item.sha256:
            outcome.problems.append(Problem(item.sha256, item.role, item.sha256, got))
    if outcome.is_ok:
        _check_documents(record.workspace.store, envelope, outcome)
    return outcome


def _found(store: ObjectStore, name: str) -> str:
    path = store.path(name)
    return digest_file(path) if path.is_file() else "missing"


def _check_all(store: ObjectStore, envelope: str, outcome: Verification) -> None:
    """Without an envelope nobody knows which objects belong to the run: look at every one."""
    for name in store.names():
        outcome.n_objects += 1
        got = _found(store, name)
        if name not in {got, envelope}:
            outcome.problems.append(Problem(name, "unknown", name, got))


def _check_identity(record: RunRecord, envelope: Envelope, outcome: Verification) -> None:
    """The pointer of one run must not lead to the envelope of another."""
    if envelope.run_id != record.run_id:
        outcome.problems.append(Problem("sealed.json", "pointer", record.run_id, envelope.run_id))


def _check_documents(store: ObjectStore, envelope: Envelope, outcome: Verification) -> None:
    """Both documents parse, and what they name is on the list that was just checked."""
    listed = {item.sha256 for item in envelope.objects}
    try:
        spec = Spec.from_bytes(store.get(envelope.spec_id))
        named = {"spec": envelope.spec_id, "log": envelope.log, "code": spec.code.tree}
        if envelope.result_id is not None:
            result = Result.from_bytes(store.get(envelope.result_id))
            named |= {
                "result": envelope.result_id,
                "bundle": result.model.bundle,
                "trials": result.search.trials,
                "baseline": result.baseline,
            }
    except (DigestMismatchError, ManifestError) as error:
        outcome.problems.append(Problem(envelope.spec_id, "document", "readable", str(error)))
        return
    for role, name in named.items():
        if name not in listed:
            outcome.problems.append(Problem(name, role, "listed in the envelope", "not listed"))
