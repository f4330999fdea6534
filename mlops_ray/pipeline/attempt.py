"""One run from its frozen spec to its sealed manifest, whatever happens in between."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.data.ray_map import RayDataMap
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.errors import MlopsRayError
from mlops_ray.manifest import ErrorFacts, Result, State
from mlops_ray.pipeline.context import Context
from mlops_ray.pipeline.execute import execute
from mlops_ray.pipeline.stage_log import StageLog
from mlops_ray.runtime.cluster import connect
from mlops_ray.runtime.memory import PeakMemory
from mlops_ray.runtime.resources import check_threads
from mlops_ray.telemetry import quiet_ray_loggers

if TYPE_CHECKING:
    from mlops_ray.data.unit_map import UnitMap
    from mlops_ray.manifest import GateFacts, RunRecord
    from mlops_ray.pipeline.circumstances import Circumstances
    from mlops_ray.pipeline.freeze import Frozen
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.telemetry import LoggedProgress, RunLog

__all__ = ["Attempt", "Means"]

_ABSOLUTE_PATH: Final = re.compile(r"(?<![\w./:])/(?:[^\s'\",:;]*/)*([^\s'\",:;/]+)")


@dataclass(frozen=True, slots=True)
class Means:
    """What a run may use; nothing here may change its result.

    Attributes:
        num_cpus: CPUs of a local cluster; all by default.
        address: Cluster to join; None for ``RAY_ADDRESS`` or a local one.
        in_process_below_bytes: Inputs smaller than this are read without Ray Data.
    """

    num_cpus: int | None
    address: str | None
    in_process_below_bytes: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run while it runs.

    Attributes:
        record: Its folder, whose lock is held.
        log: Its log.
        progress: Who is told how far it is.
        circumstances: What will stand in its envelope.
        means: What it may use.
    """

    record: RunRecord
    log: RunLog
    progress: LoggedProgress
    circumstances: Circumstances
    means: Means

    def run(self, frozen: Frozen, objects: ObjectList) -> None:
        """Execute a frozen spec and seal what came of it.

        Raises:
            MlopsRayError: The run failed; it is sealed in state `failed`.
        """
        self.log.write("run_started", run_id=self.record.run_id)
        self.progress.note(f"run {self.record.run_id}")
        spec = frozen.spec
        self.record.announce(spec.name, spec.digest, self.circumstances.started_at)
        try:
            result = self._execute(frozen, objects)
        except MlopsRayError as error:
            facts = ErrorFacts(code=error.code, message=_without_paths(str(error)))
            self._seal_failed(frozen, objects, facts, error)
            raise
        except Exception as error:
            # Not ours to interpret, but the record must say how the run ended.
            message = _without_paths(f"{type(error).__name__}: {error}"[:500])
            self._seal_failed(frozen, objects, ErrorFacts(code="bug", message=message), error)
            raise
        self._seal(frozen, objects, *_outcome(result))

    def _execute(self, frozen: Frozen, objects: ObjectList) -> Result:
        self.progress.note("starting Ray")
        quiet_ray_loggers()
        means, threads = self.means, frozen.spec.model.threads
        stages = StageLog(frozen.spec.code.tree, self.progress)
        self.circumstances.stages = stages.facts
        with PeakMemory() as memory, connect(means.address, means.num_cpus) as cluster:
            self.circumstances.cluster_found(cluster)
            check_threads(threads, cluster.cpus)
            result = execute(
                Context(
                    spec=frozen.spec,
                    files=frozen.files,
                    objects=objects,
                    stages=stages,
                    unit_map=self._unit_map(frozen),
                    progress=self.progress,
                )
            )
        self.circumstances.peak_pss_bytes = memory.peak_pss_bytes
        self.circumstances.result_id = result.digest
        return result

    def _unit_map(self, frozen: Frozen) -> UnitMap:
        size_bytes = sum(file.size_bytes for file in frozen.files)
        is_small = size_bytes < self.means.in_process_below_bytes
        return map_in_process if is_small else RayDataMap()

    def _seal_failed(
        self, frozen: Frozen, objects: ObjectList, facts: ErrorFacts, error: Exception
    ) -> None:
        """Seal as failed; where even that fails, such as on a full disk, the first error stays."""
        try:
            self._seal(frozen, objects, "failed", facts)
        except (MlopsRayError, OSError) as second:
            error.add_note(f"the record could not be sealed: {second}")

    def _seal(
        self, frozen: Frozen, objects: ObjectList, state: State, error: ErrorFacts | None
    ) -> None:
        self.log.write("run_ended", state=state, error=error.message if error else None)
        log = objects.put_file("log", self.record.log_path)
        envelope = self.circumstances.envelope(frozen.spec, objects, log, state, error)
        self.record.seal(envelope)


def _without_paths(message: str) -> str:
    """A message fit for a record: of an absolute path only the name of the file is kept."""
    return _ABSOLUTE_PATH.sub(lambda match: match[1], message)


def _outcome(result: Result) -> tuple[State, ErrorFacts | None]:
    """Sealed, or rejected where a declared gate did not pass."""
    missed = [gate for gate in result.gates if gate.verdict not in {"PASS", "OVERRIDDEN"}]
    if not missed:
        return "sealed", None
    return "rejected", ErrorFacts(code="gate", message=", ".join(map(_shortfall, missed)))


def _shortfall(gate: GateFacts) -> str:
    found = "has no value" if gate.value is None else f"is {gate.value:.6g}"
    return f"{gate.metric} {found} where its gate wants {gate.comparator} {gate.threshold:g}"
