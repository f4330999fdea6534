"""What a stage is given while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mlops_ray.data.quarantine import quarantine_from_bytes
from mlops_ray.data.rule import CheckPlan
from mlops_ray.data.split import SplitRows
from mlops_ray.data.strata import strata_from_bytes
from mlops_ray.data.supervision import Supervision
from mlops_ray.data.thread_map import ThreadMap
from mlops_ray.data.unit import list_units
from mlops_ray.manifest import ObjectFacts
from mlops_ray.pipeline.inputs import check_unchanged
from mlops_ray.pipeline.own_code import family_names, function_names
from mlops_ray.runtime.code_guard import guard_of, guarded
from mlops_ray.telemetry import quiet_ray_loggers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlops_ray.data.quarantine import BadFile
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.source import InputFile
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap
    from mlops_ray.manifest import Spec
    from mlops_ray.runtime.code_guard import CodeGuard
    from mlops_ray.search.decisions import Decisions
    from mlops_ray.storage import DigestCache, ObjectStore
    from mlops_ray.telemetry.progress import Progress

__all__ = ["Context", "Finished", "Means"]

T = TypeVar("T")


class Means(Protocol):
    """What a run works with; nothing of it may change a result."""

    @property
    def is_small(self) -> bool:
        """Whether the input is read in this process rather than by Ray Data."""

    @property
    def num_cpus(self) -> int | None:
        """Most CPUs to use in this process; all by default."""

    @property
    def ray_start_s(self) -> float:
        """Seconds that starting or joining Ray took so far."""

    @property
    def is_private(self) -> bool:
        """Whether the cluster was started for this run alone; False before there is one."""

    def connect(self) -> None:
        """Start or join Ray, unless that is done."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a stage hands back.

    Attributes:
        outputs: Name of an output -> its digest.
        engine: What did the work: ``ray_data``, ``ray_tune``, ``ray_task`` or ``driver``.
        facts: Counters of that engine.
    """

    outputs: dict[str, str]
    engine: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Context:
    """The spec, what earlier stages put out, and the means to go on.

    Attributes:
        spec: What was asked.
        files: Where its inputs can be read now.
        code: Content of the captured code by POSIX path.
        store: Takes what the stage puts out.
        done: Stage -> name of an output -> its digest.
        means: What the run works with.
        progress: Is told of trials.
        digests: Knows the digests of files that have not changed.
        memory: Values of objects that this process made or read already, by digest.
        objects: What the stage has put into the store.
        journal: Where the stage may keep what it has done so far, for the next run that computes
            the same key; removed once it has finished. None where nothing may be reused.
        decisions: What a machine decided in the search of the run that is executed again; None
            where the spec alone decides.
    """

    spec: Spec
    files: list[InputFile]
    code: Mapping[str, bytes]
    store: ObjectStore
    done: Mapping[str, Mapping[str, str]]
    means: Means
    progress: Progress
    digests: DigestCache
    memory: dict[str, Any]
    objects: dict[str, ObjectFacts]
    journal: Path | None = None
    decisions: Decisions | None = None

    @cached_property
    def units(self) -> list[Unit]:
        """The units of the input, in their order, without files that ingest left out."""
        left_out = {bad.name for bad in self.left_out}
        return list_units([file for file in self.files if file.name not in left_out])

    @property
    def left_out(self) -> list[BadFile]:
        """Files that could not be read, which ingest left out as `on_bad_file` declares."""
        quarantine = self.done.get("ingest", {}).get("quarantine")
        return [] if quarantine is None else quarantine_from_bytes(self.store.get(quarantine))

    @property
    def schema(self) -> Schema:
        """Logical types of the columns that the run reads."""
        return self.spec.data.columns

    @property
    def casts(self) -> dict[str, LogicalType]:
        """Columns whose type was declared, whatever the files hold."""
        return self.spec.data.casts

    @property
    def split_rows(self) -> SplitRows:
        """What decides a row's part."""
        data = self.spec.data
        salt = int(self.spec.seeds["split"])
        found = self.done.get("ingest", {}).get("strata")
        strata = None if found is None else self.value(found, strata_from_bytes)
        return SplitRows(self.spec.split, tuple(data.key), data.time, salt, data.target, strata)

    @property
    def supervision(self) -> Supervision:
        """Which columns the target is predicted from."""
        columns = dict.fromkeys(column for f in self.spec.features for column in f.columns)
        return Supervision(self.spec.data.target, tuple(columns))

    @property
    def check(self) -> CheckPlan | None:
        """The contract that the rows are held against, if one is declared."""
        data = self.spec.data
        if data.contract is None:
            return None
        return CheckPlan(
            data.contract, data.target, data.time, data.as_of, tuple(data.key), frozenset(data.pii)
        )

    def output(self, name: str) -> str:
        """Digest of an earlier stage's output, named ``stage.output``."""
        stage, _, output = name.partition(".")
        return self.done[stage][output]

    def put(self, role: str, data: bytes, *, value: object = None, again: bool = False) -> str:
        """Store an output; returns its digest.

        Args:
            role: The part it plays in the run.
            data: Its bytes.
            value: What they mean, if a later stage of this process will want it.
            again: Whether it can be computed again, so that an export may leave it out.
        """
        name = self.store.put(data)
        facts = ObjectFacts(role=role, sha256=name, size_bytes=len(data), intermediate=again)
        self.objects.setdefault(name, facts)
        if value is not None:
            self.memory[name] = value
        return name

    def value(self, name: str, read: Callable[[bytes], T]) -> T:
        """What an object means: remembered, or read from the store and verified."""
        if name not in self.memory:
            self.memory[name] = read(self.store.get(name))
        found: T = self.memory[name]
        return found

    def unit_map(self) -> UnitMap:
        """What works on the units: this process for a small input, else Ray Data."""
        if self.means.is_small:
            return ThreadMap(self.means.num_cpus)
        # Imported here: with Ray Data it takes a second, which a small input does not need.
        from mlops_ray.data.ray_map import RayDataMap  # noqa: PLC0415

        self.means.connect()
        quiet_ray_loggers()  # Ray Data has set them up when it was imported.
        return RayDataMap(is_private=self.means.is_private)

    def guarded(self, fn: Callable[..., T], *, fits: bool = False) -> Callable[..., T]:
        """A function for workers: refuses there the project's own functions of other code.

        Args:
            fn: What computes features.
            fits: Whether it also fits or asks estimators.
        """
        family = family_names(self.spec) if fits else []
        return guarded(fn, [*function_names(self.spec), *family], self.code)

    @property
    def family_guard(self) -> CodeGuard | None:
        """Refuses in workers an estimator family of other code; None where it is one of ours."""
        return guard_of(family_names(self.spec), self.code)

    def check_unchanged(self) -> None:
        """After a pass over the input.

        Raises:
            SourceError: A file changed while it was read.
        """
        check_unchanged(self.files, self.store, self.digests)

    def facts_of_reading(self, unit_map: UnitMap) -> tuple[str, dict[str, Any]]:
        """After a pass: what did the work, and its counters.

        Raises:
            SourceError: A file changed while it was read.
        """
        self.check_unchanged()
        facts: dict[str, Any] = {"units": len(self.units)}
        if self.means.is_small:
            return "driver", facts
        stats = getattr(unit_map, "last_stats", None)
        return "ray_data", {**facts, **({"tasks": stats.n_tasks} if stats else {})}
