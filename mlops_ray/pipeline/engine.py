"""Runs the stages of a frozen spec in order, each once: computed, or reused from the store.

The key of a stage is the digest of its inputs, its parameters, the files that its module imports
and the packages that can change it. So running again after a kill goes on where the last finished
stage ended, and a change re-runs the stages that it can reach.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlops_ray.manifest import ObjectFacts, StageFacts, StageOutputs, StageRecord, key_of
from mlops_ray.pipeline.declared import STAGE_NAMES, STAGES
from mlops_ray.pipeline.stage_cache import (
    journal_path,
    keep,
    look_up,
    pointer_key,
    record_facts,
    remove_journal,
)
from mlops_ray.runtime.import_closure import import_closure
from mlops_ray.storage import fail_point, hex_of, process_lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlops_ray.data.source import InputFile
    from mlops_ray.manifest import Spec
    from mlops_ray.pipeline.context import Context, Finished, Means
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.pipeline.stage import Stage
    from mlops_ray.search.decisions import Decisions
    from mlops_ray.storage import DigestCache
    from mlops_ray.telemetry.progress import Progress

__all__ = ["Engine", "Reuse", "declared_members"]


@dataclass(frozen=True, slots=True)
class Reuse:
    """Which finished stages a run may take from the store.

    Attributes:
        is_allowed: False computes every stage.
        before: Name of the first stage that is computed in any case; None for none.
    """

    is_allowed: bool = True
    before: str | None = None

    def covers(self, stage: str) -> bool:
        """Whether a stage may be reused."""
        if not self.is_allowed:
            return False
        return self.before is None or STAGE_NAMES.index(stage) < STAGE_NAMES.index(self.before)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A stage that has its outputs, and what did the work."""

    record: StageRecord
    engine: str
    facts: dict[str, Any]
    is_hit: bool


@dataclass
class Engine:
    """One run of all stages.

    Attributes:
        spec: What was asked.
        files: Where its inputs can be read now.
        code: Content of the captured code by POSIX path.
        objects: Takes what stages put into the store; its envelope will name it.
        means: What the run works with.
        progress: Who is told.
        digests: Knows the digests of files that have not changed.
        reuse: Which finished stages may be taken.
        decisions: What a machine decided in the search of the run that is executed again.
        done: Stage -> name of an output -> its digest; grows with every stage.
        facts: How each stage was executed; grows with every stage.
    """

    spec: Spec
    files: list[InputFile]
    code: Mapping[str, bytes]
    objects: ObjectList
    means: Means
    progress: Progress
    digests: DigestCache
    reuse: Reuse = field(default_factory=Reuse)
    decisions: Decisions | None = None
    done: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: list[StageFacts] = field(default_factory=list)
    _memory: dict[str, Any] = field(default_factory=dict)

    def run(self, until: str = STAGE_NAMES[-1]) -> None:
        """Run every stage up to one, the last by default.

        Raises:
            MlopsRayError: A stage failed; those before it stay in the store.
        """
        stages = STAGES[: STAGE_NAMES.index(until) + 1]
        for number, stage in enumerate(stages, start=1):
            fail_point("stage.next")
            self.progress.stage_started(stage.name, number, len(stages))
            started, ray_start_s = time.monotonic(), self.means.ray_start_s
            ended = self._finished(stage)
            wall_s = time.monotonic() - started - (self.means.ray_start_s - ray_start_s)
            self._note(ended, wall_s)
            if ended.is_hit:
                self.progress.stage_reused(stage.name)
            else:
                self.progress.stage_finished(stage.name, wall_s)

    def context(self, objects: dict[str, ObjectFacts], journal: Path | None = None) -> Context:
        """What a stage is given now.

        Args:
            objects: Takes what it puts into the store.
            journal: Where it may keep what it has done so far.
        """
        from mlops_ray.pipeline.context import Context  # noqa: PLC0415 - a reused run needs no Ray

        return Context(
            spec=self.spec,
            files=self.files,
            code=self.code,
            store=self.objects.store,
            done=self.done,
            means=self.means,
            progress=self.progress,
            digests=self.digests,
            memory=self._memory,
            objects=objects,
            journal=journal,
            decisions=self.decisions,
        )

    @property
    def outputs(self) -> list[StageOutputs]:
        """What the stages put out, in their order."""
        return [StageOutputs(name=name, outputs=found) for name, found in self.done.items()]

    def _finished(self, stage: Stage) -> _Ended:
        declared = declared_members(self.spec, stage, self.done, self.code)
        if not self.reuse.covers(stage.name):
            return self._computed(stage, declared)
        found = self._reused(declared["key"])
        if found is not None:
            return found
        with ExitStack() as stack:
            lock = self.objects.store.root / "locks" / f"key-{hex_of(declared['key'])}.lock"
            say = partial(self.progress.note, f"another run computes stage {stage.name}; waiting")
            stack.enter_context(process_lock(lock, on_wait=say))
            journal = journal_path(self.objects.store, declared["key"])
            return self._reused(declared["key"]) or self._computed(stage, declared, journal)

    def _reused(self, key: str) -> _Ended | None:
        store = self.objects.store
        found = look_up(store, key, lambda name: store.hold(name) and store.is_whole(name))
        if found.state == "damaged":
            self.progress.note(f"computed again, since the store lacks {found.damaged}")
        if found.state != "whole" or found.record is None:
            return None
        store.mark_record_used(pointer_key(key))
        self.objects.note_facts(
            record_facts(found.record, found.name, store.size_bytes(found.name))
        )
        return _Ended(found.record, found.engine, found.facts, is_hit=True)

    def _computed(
        self, stage: Stage, declared: dict[str, Any], journal: Path | None = None
    ) -> _Ended:
        objects: dict[str, ObjectFacts] = {}
        finished: Finished = import_module(stage.module).execute(self.context(objects, journal))
        record = StageRecord(
            **declared,
            outputs=finished.outputs,
            objects=[objects[name] for name in sorted(objects)],
        )
        kept = keep(self.objects.store, record, finished.engine, finished.facts)
        self.objects.note_facts(kept)
        if journal is not None:
            remove_journal(journal)
        return _Ended(record, finished.engine, finished.facts, is_hit=False)

    def _note(self, ended: _Ended, wall_s: float) -> None:
        record = ended.record
        for item in record.objects:
            self.objects.note_facts(item)
        self.done[record.stage] = record.outputs
        self.facts.append(
            StageFacts(
                name=record.stage,
                key=record.key,
                cache="hit" if ended.is_hit else "miss",
                wall_s=round(wall_s, 3),
                engine=ended.engine,
                facts=ended.facts,
            )
        )


def declared_members(
    spec: Spec, stage: Stage, done: Mapping[str, Mapping[str, str]], code: Mapping[str, bytes]
) -> dict[str, Any]:
    """Members of a stage's record that are known before it runs, its key among them."""
    inputs, params = stage.inputs(spec, done), stage.params(spec)
    packages = stage.packages(spec)
    closure: dict[str, str] = {}
    for module in stage.modules(spec):
        closure |= import_closure(code, module)
    return {
        "stage": stage.name,
        "inputs": inputs,
        "params": params,
        "code": closure,
        "packages": packages,
        "key": key_of(stage.name, inputs, params, closure, packages),
    }
