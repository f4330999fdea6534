"""One run from its frozen spec to its sealed manifest, whatever happens in between."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.config.secret_formats import redacted
from mlops_ray.errors import ContractError, MlopsRayError
from mlops_ray.manifest import ErrorFacts, Result, State
from mlops_ray.pipeline.assemble import assemble
from mlops_ray.pipeline.engine import Engine, Reuse
from mlops_ray.pipeline.own_code import family_modules, function_modules, searcher_modules
from mlops_ray.pipeline.workers import Placement, Workers
from mlops_ray.runtime.cpu_time import CpuTime
from mlops_ray.runtime.memory import PeakMemory
from mlops_ray.runtime.recorded_code import importing
from mlops_ray.storage import DigestCache, fail_point
from mlops_ray.telemetry.foreign_words import foreign_words

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.manifest import GateFacts, RunRecord
    from mlops_ray.pipeline.circumstances import Circumstances
    from mlops_ray.pipeline.freeze import Frozen
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.runtime.cluster import Cluster
    from mlops_ray.telemetry import LoggedProgress, RunLog

__all__ = ["Attempt"]

_ABSOLUTE_PATH: Final = re.compile(r"(?<![\w./:])/(?:[^\s'\",:;]*/)*([^\s'\",:;/]+)")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run while it runs.

    Attributes:
        record: Its folder, whose lock is held.
        log: Its log.
        progress: Who is told how far it is.
        circumstances: What will stand in its envelope.
        placement: Where it does its work.
        reuse: Which finished stages it may take from the store.
        code: Folder of the captured code; None where the workers have it already.
    """

    record: RunRecord
    log: RunLog
    progress: LoggedProgress
    circumstances: Circumstances
    placement: Placement
    reuse: Reuse
    code: Path | None

    def run(self, frozen: Frozen, objects: ObjectList, digests: DigestCache) -> None:
        """Execute a frozen spec and seal what came of it.

        Raises:
            MlopsRayError: The run failed; it is sealed in state `failed`.
        """
        self.log.write("run_started", run_id=self.record.run_id)
        self.progress.note(f"run {self.record.run_id}")
        spec = frozen.spec
        told = self.circumstances
        self.record.announce(spec.name, spec.digest, told.started_at, told.command, told.parent)
        fail_point("record.announced")
        try:
            result = self._execute(frozen, objects, digests)
        except ContractError as error:
            # No failure of the run: it came to a verdict on the data, and this is it.
            facts = ErrorFacts(code=error.code, message=_fit_for_record(str(error)))
            self._seal(frozen, objects, "rejected", facts)
            return
        except MlopsRayError as error:
            facts = ErrorFacts(code=error.code, message=_fit_for_record(str(error)))
            self._seal_failed(frozen, objects, facts, error)
            raise
        except Exception as error:
            # Not ours to interpret, but the record must say how the run ended.
            message = _fit_for_record(foreign_words(error))[:500]
            self._seal_failed(frozen, objects, ErrorFacts(code="bug", message=message), error)
            raise
        self._seal(frozen, objects, *_outcome(result))

    def _execute(self, frozen: Frozen, objects: ObjectList, digests: DigestCache) -> Result:
        with CpuTime() as used, PeakMemory() as memory, ExitStack() as cleanup:
            # Pushed first, so that it is noted whatever ends the stages.
            workers = Workers(
                placement=self.placement,
                size_bytes=sum(file.size_bytes for file in frozen.files),
                threads=frozen.spec.model.threads,
                code=self.code,
                cleanup=cleanup,
                progress=self.progress,
                n_fitting=frozen.spec.model.workers,
                on_joined=self._joined,
            )
            cleanup.callback(self._note_cluster, workers)
            engine = Engine(
                spec=frozen.spec,
                files=frozen.files,
                code=frozen.code,
                objects=objects,
                means=workers,
                progress=self.progress,
                digests=digests,
                reuse=self.reuse,
                facts=self.circumstances.stages,
            )
            own = (function_modules, searcher_modules, family_modules)
            modules = [module for modules_of in own for module in modules_of(frozen.spec)]
            if self.code is not None:
                cleanup.enter_context(importing(self.code, frozen.code, modules))
            if frozen.spec.model.own_class is not None:
                # Imported here: whoever reuses all stages needs no model library.
                from mlops_ray.pipeline.own_family import check_own_family  # noqa: PLC0415

                check_own_family(frozen.spec)
            engine.run()
        result = assemble(frozen.spec, engine.outputs, objects.store)
        objects.put("result", result.to_bytes())
        fail_point("run.result_stored")
        self.circumstances.peak_pss_bytes = memory.peak_pss_bytes
        self.circumstances.cpu_s = used.cpu_s
        self.circumstances.result_id = result.digest
        return result

    def _joined(self, cluster: Cluster) -> None:
        """Leave word of the job for whoever comes after a kill, and do what earlier words ask."""
        from mlops_ray.pipeline.leftovers import end_leftovers  # noqa: PLC0415 - imports Ray

        self.record.note_cluster(cluster.session, cluster.job_id)
        fail_point("record.cluster_noted")
        end_leftovers(self.record.workspace, cluster, self.progress)

    def _note_cluster(self, workers: Workers) -> None:
        if workers.cluster is not None:
            self.circumstances.cluster_found(workers.cluster)

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
        fail_point("run.log_stored")
        envelope = self.circumstances.envelope(frozen.spec, objects, log, state, error)
        fail_point("run.sealing")
        self.record.seal(envelope)
        fail_point("run.sealed")


def _fit_for_record(message: str) -> str:
    """A message fit for a record: no secret, and of an absolute path only the file's name."""
    return _ABSOLUTE_PATH.sub(lambda match: match[1], redacted(message))


def _outcome(result: Result) -> tuple[State, ErrorFacts | None]:
    """Sealed, or rejected where a declared gate did not pass."""
    missed = [gate for gate in result.gates if gate.verdict not in {"PASS", "OVERRIDDEN"}]
    if not missed:
        return "sealed", None
    return "rejected", ErrorFacts(code="gate", message=", ".join(map(_shortfall, missed)))


def _shortfall(gate: GateFacts) -> str:
    found = "has no value" if gate.value is None else f"is {gate.value:.6g}"
    return f"{gate.metric} {found} where its gate wants {gate.comparator} {gate.threshold:g}"
