"""What a run would do now: which stages it would compute, and what of them has changed.

A stage's key says whether it has to run; why, the record of its last run says, member by member.
After a stage that would run nothing is known of its outputs, so the stages that read them are
planned to run too, although they will be reused if the outputs turn out to be the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from mlops_ray.manifest import Spec
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.pipeline.declared import STAGES
from mlops_ray.pipeline.engine import declared_members
from mlops_ray.pipeline.freeze import spec_of
from mlops_ray.pipeline.last_records import last_stages
from mlops_ray.pipeline.pin import digested_inputs
from mlops_ray.pipeline.reasons import Reason, other_outputs, reasons_between
from mlops_ray.pipeline.stage_cache import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlops_ray.pipeline.engine import Reuse
    from mlops_ray.pipeline.last_records import LastStage
    from mlops_ray.pipeline.resolve import Resolved
    from mlops_ray.pipeline.stage import Stage
    from mlops_ray.pipeline.stage_cache import Lookup
    from mlops_ray.storage import DigestCache, ObjectStore, Workspace

__all__ = ["Plan", "PlannedStage", "make_plan"]

_NEVER: Final = Reason("new", "it never ran here")


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
    asked = spec_of(resolved, digested_inputs(resolved, digests, root), facts_of(bundle))
    spec = Spec.from_bytes(asked.to_bytes())  # As `begin` does.
    planner = _Planner(
        spec, bundle.files, workspace.store, digests, reuse, last_stages(workspace, spec)
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
    last: Mapping[str, LastStage]
    done: dict[str, dict[str, str]] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)

    def planned(self, stage: Stage) -> PlannedStage:
        if self._lacks_outputs(stage):
            unknown = [Reason("stage", name) for name in self.running if name not in self.done]
            return self._runs(stage, unknown if stage.name in self.last else [_NEVER])
        members = declared_members(self.spec, stage, self.done, self.code)
        upstream = self._upstream(members["inputs"])
        if not self.reuse.covers(stage.name):
            what = f"--from-stage {self.reuse.before}" if self.reuse.is_allowed else "--no-cache"
            return self._runs(stage, [Reason("option", what)])
        if upstream:
            return self._runs(stage, [*self._own(stage, members), *upstream])
        found = look_up(self.store, members["key"], self._is_whole)
        if found.state == "whole" and found.record is not None:
            self.done[stage.name] = found.record.outputs
            return PlannedStage(stage.name, "reuse")
        return self._runs(stage, self._because(stage, members, found))

    def _runs(self, stage: Stage, because: list[Reason]) -> PlannedStage:
        self.running.append(stage.name)
        last = self.last.get(stage.name)
        if last is not None and last.record is not None:
            self.done[stage.name] = last.record.outputs
        return PlannedStage(stage.name, "run", because)

    def _own(self, stage: Stage, members: Mapping[str, Any]) -> list[Reason]:
        """What of the stage itself has changed since it last ran, as far as that is known."""
        last = self.last.get(stage.name)
        return reasons_between(last.record, members) if last and last.record else []

    def _because(self, stage: Stage, members: Mapping[str, Any], found: Lookup) -> list[Reason]:
        """Why a stage runs that no option and no other stage makes run."""
        last = self.last.get(stage.name)
        if found.state == "damaged":
            return [Reason("object", f"the store lacks {found.damaged} of stage {stage.name}")]
        if last is None:
            return [_NEVER]
        if last.key == members["key"]:
            return [
                Reason("object", f"the store forgot stage {stage.name}, as `store gc` makes it")
            ]
        if last.record is None:
            return [Reason("object", f"the store lost what stage {stage.name} last read")]
        return self._own(stage, members) or other_outputs(last.record, members) or [_NEVER]

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
