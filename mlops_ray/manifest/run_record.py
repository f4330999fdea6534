"""The folder of one run: a lock that dies with its process, a log, and at last a pointer.

``runs/<run_id>/sealed.json`` is written last and names the envelope by digest; the envelope names
everything else. So whatever a crash leaves behind is complete or invisible: a run without a pointer
whose lock nobody holds is shown as `interrupted`.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from mlops_ray.errors import ManifestError, NotFoundError, StoreError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.manifest.envelope import Envelope, State
from mlops_ray.storage import Workspace, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RunRecord", "find_run", "list_runs", "new_run"]

_RUN_ID: Final = re.compile(r"\d{8}t\d{6}-[0-9a-f]{6}")
# Another process that looks at the same run holds its lock for a moment.
_GLANCE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run on disk."""

    workspace: Workspace
    run_id: str

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.workspace.runs / self.run_id

    @property
    def log_path(self) -> Path:
        """The log, one JSON object a line."""
        return self.folder / "log.jsonl"

    @property
    def pointer_path(self) -> Path:
        """The pointer to the envelope; exists once the run has ended."""
        return self.folder / "sealed.json"

    def lock(self) -> FileLock:
        """The lock that the run's process holds while it lives."""
        return FileLock(self.folder / "lock")

    def announce(self, name: str, spec_id: str, started_at: str) -> None:
        """Say what is running, for `runs ls` before there is an envelope."""
        content = {"name": name, "spec_id": spec_id, "started_at": started_at}
        write_atomically(self.folder / "running.json", canonical_bytes(content))

    def announced(self) -> dict[str, str]:
        """What `announce` said; empty where the run ended before it."""
        path = self.folder / "running.json"
        data = path.read_bytes() if path.exists() else b""
        return dict(json.loads(data)) if data else {}

    def seal(self, envelope: Envelope) -> None:
        """Store the envelope, then point to it: from here on nothing changes any more."""
        name = self.workspace.store.put(envelope.to_bytes())
        write_atomically(self.pointer_path, canonical_bytes({"envelope": name}))

    def envelope_digest(self) -> str:
        """What the pointer names.

        Raises:
            ManifestError: The run has not ended, or the pointer is damaged.
        """
        if not self.pointer_path.exists():
            raise ManifestError(
                f"run {self.run_id} has no manifest",
                self.state(),
                hint="only runs that ended have one",
            )
        content = from_canonical(self.pointer_path.read_bytes())
        if not isinstance(content, dict) or not isinstance(content.get("envelope"), str):
            raise ManifestError(f"the pointer of run {self.run_id} is damaged")
        return str(content["envelope"])

    def envelope(self) -> Envelope:
        """The envelope, verified."""
        return Envelope.from_bytes(self.workspace.store.get(self.envelope_digest()))

    def state(self) -> State:
        """Current state, told by pointer and lock, never by a stored wish."""
        if self.pointer_path.exists():
            return self.envelope().state
        lock = self.lock()
        try:
            with lock.acquire(timeout=_GLANCE_S, poll_interval=_GLANCE_S / 10):
                return "interrupted"
        except Timeout:
            return "running"


def new_run(workspace: Workspace) -> RunRecord:
    """Make the folder of a new run under a short id that sorts by time."""
    moment = datetime.now(UTC).strftime("%Y%m%dt%H%M%S")
    record = RunRecord(workspace, f"{moment}-{secrets.token_hex(3)}")
    try:
        record.folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(
            f"no run can be recorded in {workspace.store_root}",
            error.strerror or str(error),
            "a folder that can be written to",
            "choose another with --store or MLOPS_RAY_STORE",
        ) from error
    return record


def list_runs(workspace: Workspace) -> list[RunRecord]:
    """All runs, newest last."""
    if not workspace.runs.is_dir():
        return []
    names = sorted(path.name for path in workspace.runs.iterdir())
    return [RunRecord(workspace, name) for name in names if _RUN_ID.fullmatch(name)]


def find_run(workspace: Workspace, name: str) -> RunRecord:
    """The run with an id or an unambiguous beginning of one; ``latest`` is the newest.

    Raises:
        NotFoundError: No run, or more than one, fits.
    """
    runs = list_runs(workspace)
    fitting = runs[-1:] if name == "latest" else [r for r in runs if r.run_id.startswith(name)]
    if len(fitting) == 1 and name:
        return fitting[0]
    known = ", ".join(record.run_id for record in runs[-3:]) or "none"
    raise NotFoundError(
        f"{len(fitting)} runs fit {name!r}" if fitting else f"there is no run {name!r}",
        f"{len(runs)} runs in {workspace.store_root}, newest: {known}",
        "a run id, its beginning, or 'latest'",
        "see `mlops-ray runs ls`, or name the store with --store",
    )
