"""Everything that a run recorded and that two runs can be compared by, read once from the store."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ManifestError, StoreError
from mlops_ray.manifest.canonical import digest_json, from_canonical
from mlops_ray.manifest.result import Result
from mlops_ray.manifest.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.manifest.envelope import Envelope
    from mlops_ray.manifest.run_record import RunRecord
    from mlops_ray.storage import ObjectStore

__all__ = ["RunDocuments", "load_documents"]

_LOCKED: Final = re.compile(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")


@dataclass(frozen=True, slots=True)
class RunDocuments:
    """One run, as far as it is recorded.

    Attributes:
        envelope: Under which circumstances it ran.
        spec: What was asked.
        result: What came out; None where it failed before there was anything.
        code: Digests of the code files by path; None where their list is not in the store.
        trials: Digests of the trials by index; None where there is no table in the store.
        locked: Version of each package on the list of all packages; None where there is no list.
    """

    envelope: Envelope
    spec: Spec
    result: Result | None = None
    code: Mapping[str, str] | None = field(default=None, hash=False)
    trials: Mapping[str, str] | None = field(default=None, hash=False)
    locked: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def outputs(self) -> dict[str, dict[str, str]]:
        """Digests of what the stages put out: stage -> name -> digest."""
        return {stage.name: stage.outputs for stage in self.result.stages} if self.result else {}


def load_documents(record: RunRecord) -> RunDocuments:
    """Read a run that has ended, each document verified against its digest.

    Raises:
        ManifestError: The run has not ended, or one of its documents is missing or damaged.
    """
    envelope = record.envelope()
    store = record.workspace.store
    spec = Spec.from_bytes(store.get(envelope.spec_id))
    result = Result.from_bytes(store.get(envelope.result_id)) if envelope.result_id else None
    tree = _optional(store, spec.code.tree)
    trials = _optional(store, result.search.trials) if result else None
    lock = _optional(store, envelope.lock)
    return RunDocuments(
        envelope=envelope,
        spec=spec,
        result=result,
        code=None if tree is None else _files(from_canonical(tree)),
        trials=None if trials is None else _by_index(trials.splitlines()),
        locked=None if lock is None else dict(_LOCKED.findall(lock.decode(errors="replace"))),
    )


def _optional(store: ObjectStore, name: str | None) -> bytes | None:
    """An object that says more than its digest does; without it the digests are compared."""
    if name is None:
        return None
    try:
        return store.get(name)
    except (ManifestError, StoreError):
        return None


def _files(tree: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["sha256"] for file in tree["files"]}


def _by_index(lines: list[bytes]) -> dict[str, str]:
    trials = [from_canonical(line) for line in lines]
    return {str(trial["index"]): digest_json(trial) for trial in trials}
