"""What a run would do now: which stages it would compute, and what of them has changed.

A stage's key says whether it has to run; why, the record of its last run says, member by member.
After a stage that would run nothing is known of its outputs, so the stages that read them are
planned to run too, although they will be reused if the outputs turn out to be the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.manifest import Spec
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.pipeline.declared import STAGES
from mlops_ray.pipeline.engine import declared_members
from mlops_ray.pipeline.freeze import digested_inputs, spec_of
from mlops_ray.pipeline.last_records import last_records
from mlops_ray.pipeline.reasons import Reason, reasons_between
from mlops_ray.pipeline.stage_cache import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlops_ray.manifest import StageRecord
    from mlops_ray.pipeline.declared import Stage
    from mlops_ray.pipeline.engine import Reuse
    from mlops_ray.pipeline.resolve import Resolved
    from mlops_ray.storage import DigestCache, ObjectStore, Workspace

__all__ = ["Plan", "PlannedStage", "make_plan"]


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage of a plan.

    Attributes:
        name: Its name.
        action: ``run`` or ``reuse``.
        because: What makes it run; empty for a reuse.
    """

    name: str
    action: Literal["run", "reuse"]
    because: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        spec_id: Identity of what would be asked.
        stages: All stages, in their order.
    """

    spec_id: str
    stages: list[PlannedStage]

    def action(self, stage: str) -> str:
        """What would be done with a stage: ``run`` or ``reuse``."""
        return next(planned.action for planned in self.stages if planned.name == stage)

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/plan/v1``."""
        return {"spec_id": self.spec_id, "stages": [asdict(planned) for planned in self.stages]}


def make_plan(
    resolved: Resolved, workspace: Workspace, root: Path, digests: DigestCache, reuse: Reuse
) -> Plan:
    """Plan a run of a pipeline file; nothing is written but remembered digests.

    Args:
        resolved: The pipeline file, held against its data.
        workspace: Whose store is looked into.
        root: Project root, where the code lies.
        digests: Knows the digests of files that have not changed.
        reuse: Which finished stages the run may take.
    """
    bundle = captured(root, resolved.loaded.config.code, workspace.store_root)
    asked = spec_of(resolved, digested_inputs(resolved, digests), facts_of(bundle))
    spec = Spec.from_bytes(asked.to_bytes())  # As `begin` does.
    planner = _Planner(
        spec, bundle.files, workspace.store, digests, reuse, last_records(workspace, spec)
    )
    return Plan(spec.digest, [planner.planned(stage) for stage in STAGES])


@dataclass
class _Planner:
    """Walks through the stages and remembers what their outputs would be.

    `done` holds outputs as the last run knew them where a stage would run: they tell what else has
    changed in the stages after it.
    """

    spec: Spec
    code: Mapping[str, bytes]
    store: ObjectStore
    digests: DigestCache
    reuse: Reuse
    last: Mapping[str, StageRecord]
    done: dict[str, dict[str, str]] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)

    def planned(self, stage: Stage) -> PlannedStage:
        before = self.last.get(stage.name)
        if self._lacks_outputs(stage):
            return self._runs(stage, before, [Reason("new", "it never ran here")])
        members = declared_members(self.spec, stage, self.done, self.code)
        upstream = self._upstream(members["inputs"])
        if not self.reuse.covers(stage.name):
            what = f"--from-stage {self.reuse.before}" if self.reuse.is_allowed else "--no-cache"
            return self._runs(stage, before, [Reason("option", what)])
        if upstream:
            own = reasons_between(before, members) if before else []
            return self._runs(stage, before, [*own, *upstream])
        found = look_up(self.store, members["key"], self._is_whole)
        if found.state == "whole" and found.record is not None:
            self.done[stage.name] = found.record.outputs
            return PlannedStage(stage.name, "reuse")
        if found.state == "damaged":
            return self._runs(stage, before, [Reason("object", found.damaged)])
        own = reasons_between(before, members) if before else []
        return self._runs(stage, before, own or [Reason("new", "it never ran here")])

    def _runs(
        self, stage: Stage, before: StageRecord | None, because: list[Reason]
    ) -> PlannedStage:
        self.running.append(stage.name)
        if before is not None:
            self.done[stage.name] = before.outputs
        return PlannedStage(stage.name, "run", because)

    def _lacks_outputs(self, stage: Stage) -> bool:
        try:
            stage.inputs(self.spec, self.done)
        except KeyError:
            return True
        return False

    def _upstream(self, inputs: Mapping[str, str]) -> list[Reason]:
        """The stages that would run and whose outputs this one reads."""
        read = {name.partition(".")[0] for name in inputs if not name.startswith("file:")}
        return [Reason("stage", name) for name in self.running if name in read]

    def _is_whole(self, name: str) -> bool:
        """By the remembered digest, which an edit of the object makes void."""
        path = self.store.path(name)
        return path.is_file() and self.digests.digest_file(path) == name
