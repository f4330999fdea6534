"""The folder of one run: a lock that dies with its process, a log, and at last a pointer.

``runs/<run_id>/sealed.json`` is written last and names the envelope by digest; the envelope names
everything else. So whatever a crash leaves behind is complete or invisible: a run without a pointer
whose lock nobody holds is shown as `interrupted`.

In a remote store lie the pointer and what it leads to, so another machine lists, shows and checks
every run that has ended. Lock, announcement and the log of a living run stay on their machine.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from mlops_ray.errors import ManifestError, NotFoundError, StoreError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.manifest.envelope import Envelope, State
from mlops_ray.storage import Workspace, fail_point, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.storage import ObjectStore

__all__ = ["RunRecord", "find_run", "list_runs", "new_run"]

_POINTER: Final = "sealed.json"
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
    def made_at(self) -> str:
        """When the run got its id, to the second: RFC 3339, UTC."""
        moment = datetime.strptime(self.run_id.partition("-")[0], "%Y%m%dt%H%M%S")  # noqa: DTZ007 - text
        return f"{moment.isoformat()}Z"

    @property
    def log_path(self) -> Path:
        """The log, one JSON object a line."""
        return self.folder / "log.jsonl"

    @property
    def pointer_path(self) -> Path:
        """Where a local store keeps the pointer; see `is_sealed` for any store."""
        return self.folder / _POINTER

    @property
    def pointer_key(self) -> str:
        """The key of the pointer in the store."""
        return f"runs/{self.run_id}/{_POINTER}"

    def is_sealed(self) -> bool:
        """Whether the run has ended."""
        return self._pointer() is not None

    def log_bytes(self) -> bytes:
        """The log so far; of a run of another machine, once it has ended, the stored one."""
        if not self.log_path.exists() and self.is_sealed():
            return self.workspace.store.get(self.envelope().log)
        return self.log_path.read_bytes() if self.log_path.exists() else b""

    def lock(self) -> FileLock:
        """The lock that the run's process holds while it lives."""
        return FileLock(self.folder / "lock")

    def log_lines(self) -> list[dict[str, Any]]:
        """The events of the log; a last line that a killed process left torn is no event."""
        text = self.log_bytes().decode(errors="replace")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def announce(
        self, name: str, spec_id: str, started_at: str, command: str = "", parent: str | None = None
    ) -> None:
        """Say what is running, for whoever asks before there is an envelope.

        Args:
            name: Name of the pipeline.
            spec_id: What was asked.
            started_at: RFC 3339, UTC.
            command: Goes on with the run if it dies.
            parent: The dead run that this one goes on with.
        """
        content = {"name": name, "spec_id": spec_id, "started_at": started_at}
        self._announce({**content, "command": command, "parent": parent or ""})

    def note_cluster(self, session: str, job_id: str) -> None:
        """Say on which cluster a run works and as which job, to end what it may leave there."""
        self._announce({**self.announced(), "ray_session": session, "ray_job_id": job_id})

    def forget_cluster(self) -> None:
        """Take back what `note_cluster` said: of this run nothing is left there."""
        announced = self.announced()
        kept = {key: text for key, text in announced.items() if not key.startswith("ray_")}
        self._announce(kept)

    def _announce(self, content: dict[str, str]) -> None:
        write_atomically(self.folder / "running.json", canonical_bytes(content))

    def announced(self) -> dict[str, str]:
        """What `announce` said; empty where the run ended before it."""
        path = self.folder / "running.json"
        data = path.read_bytes() if path.exists() else b""
        return dict(json.loads(data)) if data else {}

    def seal(self, envelope: Envelope) -> None:
        """Store the envelope, then point to it: from here on nothing changes any more.

        Raises:
            StoreError: The store cannot be written, or a remote one lacks an object of the run.
        """
        store = self.workspace.store
        if self.workspace.is_remote:
            _check_uploaded(store, envelope)
        name = store.put(envelope.to_bytes())
        fail_point("record.envelope_stored")
        store.write_record(self.pointer_key, canonical_bytes({"envelope": name}))

    def envelope_digest(self) -> str:
        """What the pointer names.

        Raises:
            ManifestError: The run has not ended, or the pointer is damaged.
        """
        pointer = self._pointer()
        if pointer is None:
            raise ManifestError(
                f"run {self.run_id} has no manifest",
                self._state_without_pointer(),
                hint="only runs that ended have one",
            )
        content = from_canonical(pointer)
        if not isinstance(content, dict) or not isinstance(content.get("envelope"), str):
            raise ManifestError(f"the pointer of run {self.run_id} is damaged")
        return str(content["envelope"])

    def envelope(self) -> Envelope:
        """The envelope, verified."""
        return Envelope.from_bytes(self.workspace.store.get(self.envelope_digest()))

    def state(self) -> State:
        """Current state, told by pointer and lock, never by a stored wish."""
        return self.envelope().state if self.is_sealed() else self._state_without_pointer()

    def _state_without_pointer(self) -> State:
        lock = self.lock()
        try:
            with lock.acquire(timeout=_GLANCE_S, poll_interval=_GLANCE_S / 10):
                return "interrupted"
        except Timeout:
            return "running"

    def _pointer(self) -> bytes | None:
        return self.workspace.store.read_record(self.pointer_key)


def _check_uploaded(store: ObjectStore, envelope: Envelope) -> None:
    """A pointer is visible to other machines, so all it leads to must be there before it."""
    needed = (item.sha256 for item in envelope.objects if not item.intermediate)
    missing = next((name for name in needed if not store.hold(name)), None)
    if missing is not None:
        raise StoreError(
            f"object {missing} is missing from the store",
            hint="something deletes there what a run needs; find out what, then run again",
        )


def new_run(workspace: Workspace) -> RunRecord:
    """Make the folder of a new run under a short id that sorts by time."""
    moment = datetime.now(UTC)
    # Milliseconds first, so that two runs of one second sort by time too.
    suffix = f"{moment.microsecond // 1000:03x}{secrets.randbelow(16**3):03x}"
    record = RunRecord(workspace, f"{moment:%Y%m%dt%H%M%S}-{suffix}")
    try:
        record.folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(
            f"no run can be recorded in {workspace.store_root}",
            error.strerror or str(error),
            "a folder that can be written to",
            "choose another with --store or MLOPS_RAY_STORE",
        ) from error
    fail_point("record.made")
    return record


def list_runs(workspace: Workspace) -> list[RunRecord]:
    """All runs, newest last; of another machine's runs in a remote store those that have ended."""
    names = {path.name for path in workspace.runs.iterdir()} if workspace.runs.is_dir() else set()
    if workspace.is_remote:
        names |= {key.split("/")[1] for key in workspace.store.record_keys("runs/")}
    return [RunRecord(workspace, name) for name in sorted(names) if _RUN_ID.fullmatch(name)]


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
        f"{len(runs)} runs in {workspace.location}, newest: {known}",
        "a run id, its beginning, or 'latest'",
        "see `mlops-ray runs ls`, or name the store with --store",
    )
