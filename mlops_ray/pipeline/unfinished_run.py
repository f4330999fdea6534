"""A run that has not ended: what is known of it, and how it goes on.

It has no manifest. What is known it said itself: an announcement when it began, and its log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import ManifestError
from mlops_ray.manifest import find_run, list_runs
from mlops_ray.pipeline.declared import STAGE_NAMES

if TYPE_CHECKING:
    from mlops_ray.manifest import RunRecord, State
    from mlops_ray.storage import Workspace

__all__ = ["FinishedStage", "UnfinishedRun", "find_ended_run", "look_at"]


@dataclass(frozen=True, slots=True)
class FinishedStage:
    """A stage that a run had behind it.

    Attributes:
        name: Its name.
        cache: ``hit`` where a stored output was reused, else ``miss``.
        wall_s: How long it took; None where it was reused.
    """

    name: str
    cache: str
    wall_s: float | None


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A run that is running, or whose process is gone.

    Attributes:
        record: Its folder.
        state: ``running`` or ``interrupted``.
        name: Name of the pipeline; empty, as what follows, where the run died before it said so.
        spec_id: Digest of what was asked.
        started_at: RFC 3339, UTC.
        command: What starts it again, given in the project's root.
        parent: The dead run that it goes on with.
        continued_by: The latest run after it that was asked for the same.
        log: Events of its log.
    """

    record: RunRecord
    state: State
    name: str
    spec_id: str
    started_at: str
    command: str
    parent: str
    continued_by: str
    log: list[dict[str, Any]] = field(hash=False)

    @property
    def run_id(self) -> str:
        """Short id that sorts by time."""
        return self.record.run_id

    @property
    def stages(self) -> list[FinishedStage]:
        """The stages it has behind it, in their order."""
        kinds = {"stage_finished": "miss", "stage_reused": "hit"}
        return [
            FinishedStage(line["stage"], kinds[line["event"]], line.get("wall_s"))
            for line in self.log
            if line["event"] in kinds
        ]

    @property
    def of(self) -> int:
        """How many stages a run has."""
        return len(STAGE_NAMES)

    @property
    def open_stage(self) -> str:
        """The stage that is or was being computed; empty between stages."""
        begun = [line["stage"] for line in self.log if line["event"] == "stage_started"]
        return begun[-1] if len(begun) > len(self.stages) else ""

    @property
    def way_on(self) -> str:
        """What to do to get a run that has ended."""
        if self.state == "running":
            return f"wait for its end; `mlops-ray runs logs {self.run_id}` shows how far it is"
        if self.continued_by:
            return f"run {self.continued_by} went on with it: name that one"
        if self.command:
            return f"`{self.command}` in the project's root goes on with it"
        return "the `mlops-ray run` that started it goes on with it"

    def __str__(self) -> str:
        """How far it is or was."""
        where = f" in stage {self.open_stage}" if self.open_stage else ""
        names = ", ".join(stage.name for stage in self.stages)
        return f"{self.state}{where}, {f'after {names}' if names else 'no stage finished'}"

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/run/v1``; what only ended runs have is null or empty."""
        ended = [line for line in self.log if line["event"] == "trial_finished"]
        n_finished = sum(line["value"] is not None for line in ended)
        n_pruned = sum(line.get("status") == "pruned" for line in ended)
        return {
            "run_id": self.run_id,
            "name": self.name or None,
            "spec_id": self.spec_id or None,
            "result_id": None,
            "determinism": None,
            "state": self.state,
            "parent": self.parent or None,
            "metrics": {},
            "gates": [],
            "contract": None,
            "hints": [],
            "quarantined_files": [],
            "model": None,
            "stages": [
                {
                    "name": stage.name,
                    "key": None,
                    "cache": stage.cache,
                    "wall_s": stage.wall_s,
                    "engine": None,
                    "outputs": {},
                }
                for stage in self.stages
            ],
            "trials": {
                "finished": n_finished,
                "pruned": n_pruned,
                "failed": len(ended) - n_finished - n_pruned,
                "best": None,
            },
            "wall_s": None,
            "ray_start_s": None,
            "peak_pss_bytes": None,
            "error": None,
            "started_at": self.started_at,
            "open_stage": self.open_stage or None,
            "of_stages": self.of,
            "log": {"lines": len(self.log), "last": self.log[-1] if self.log else None},
            "continued_by": self.continued_by or None,
            "command": self.command or None,
            "way_on": self.way_on,
        }


def look_at(record: RunRecord) -> UnfinishedRun:
    """What is known of a run that has not ended."""
    said = record.announced()
    spec_id = said.get("spec_id", "")
    return UnfinishedRun(
        record=record,
        state=record.state(),
        name=said.get("name", ""),
        spec_id=spec_id,
        started_at=said.get("started_at", record.made_at),
        command=said.get("command", ""),
        parent=said.get("parent", ""),
        continued_by=_later_run(record, spec_id) if spec_id else "",
        log=record.log_lines(),
    )


def find_ended_run(workspace: Workspace, name: str) -> RunRecord:
    """The run of this name; see `manifest.find_run`.

    Raises:
        NotFoundError: No run, or more than one, fits.
        ManifestError: It has not ended; the message says how far it is and how it goes on.
    """
    record = find_run(workspace, name)
    if record.is_sealed():
        return record
    found = look_at(record)
    raise ManifestError(
        f"run {record.run_id} has no manifest",
        str(found),
        "a run that has ended",
        f"{found.way_on}; `mlops-ray runs show {record.run_id}` tells what is known",
    )


def _later_run(record: RunRecord, spec_id: str) -> str:
    later = (run for run in list_runs(record.workspace) if run.run_id > record.run_id)
    same = [run.run_id for run in later if run.announced().get("spec_id") == spec_id]
    return same[-1] if same else ""
