"""Executes a recorded run again, from its manifest and store alone, and compares what comes out.

The code that runs is the recorded bundle, in a process, a folder and a store of its own; the
installed package only prepares it and compares. Nothing is registered or deployed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mlops_ray.errors import ConfigError, DigestMismatchError, ManifestError, StoreError
from mlops_ray.manifest import Result, verify_run
from mlops_ray.pipeline.recorded_environment import build_environment
from mlops_ray.pipeline.recorded_image import ContainerImage, image_interpreter
from mlops_ray.pipeline.recorded_inputs import place_inputs
from mlops_ray.pipeline.replay import REQUEST_FILE, REQUEST_SCHEMA
from mlops_ray.pipeline.replay_process import (
    EnvironmentName,
    Interpreter,
    answer_of_child,
    local_interpreter,
)
from mlops_ray.pipeline.verdict import DEFAULT_TOLERANCE, first_difference, verdict_of
from mlops_ray.runtime.address import check_address
from mlops_ray.runtime.code import CodeBundle
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.environment_difference import RecordedEnvironment, compare_environments
from mlops_ray.runtime.session_folder import session_folder
from mlops_ray.storage import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.pipeline.run import Run
    from mlops_ray.pipeline.verdict import FirstDifference, VerdictName

__all__ = ["EnvironmentChoice", "Reproduction", "reproduce"]

EnvironmentChoice: TypeAlias = EnvironmentName | ContainerImage
_ENTRY = "mlops_ray/pipeline/replay.py"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a second execution showed.

    Attributes:
        run_id: The run.
        verdict: IDENTICAL, EQUIVALENT or DIFFERENT.
        first_difference: The first output that is another; None where there is none.
        cause: Why, as far as it can be told; empty where nothing differs.
        executed: Stages that were executed rather than reused.
        of: All stages.
        expected: Recorded result_id.
        got: That of the second execution.
        environment: What of the environment differs from the recorded one.
        applied: What a clock or the memory had decided in the recorded search, and was taken over.
    """

    run_id: str
    verdict: VerdictName
    first_difference: FirstDifference | None
    cause: str
    executed: int
    of: int
    expected: str
    got: str
    environment: list[str]
    applied: list[str]

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/reproduce/v1``."""
        content = asdict(self)
        content["executed"] = {"n": self.executed, "of": content.pop("of")}
        return content


def reproduce(
    run: Run,
    *,
    data: str | None = None,
    environment: EnvironmentChoice = "current",
    num_cpus: int | None = None,
    address: str | None = None,
    in_process_below_bytes: int,
    tolerance: float | None = None,
) -> Reproduction:
    """Execute every stage of a run again and compare.

    Args:
        run: A run with a result.
        data: Where large inputs lie that the store has no copy of; each is checked.
        environment: ``current``, ``build`` for one made from the run's recorded lock, or a
            container image.
        num_cpus: CPUs of the local cluster; all by default.
        address: Cluster to join; else a local one.
        in_process_below_bytes: Inputs smaller than this are read without Ray Data.
        tolerance: Largest relative difference of a metric that counts as equivalent.

    Raises:
        ManifestError: The run has no result, or its code cannot be executed by this version.
        DigestMismatchError: An object of the run is missing or damaged; it is named.
        SourceError: An input is not in the store and not under `data`, or has other bytes.
        StoreError: The temporary folder cannot be written.
        ClusterError: The cluster cannot be reached.
        ConfigError: A container image cannot be taken for this run.
        ContainerError: There is no container engine, or it does not work.
    """
    if isinstance(environment, ContainerImage) and address is not None:
        raise ConfigError(
            "a container without a network cannot join a cluster",
            hint="leave out --address, or --image",
        )
    target = address or os.environ.get("RAY_ADDRESS") or "local"
    if target != "local":
        check_address(target)
    recorded = _checked(run)
    options = {
        "num_cpus": num_cpus,
        "address": address,
        "in_process_below_bytes": in_process_below_bytes,
    }
    with _scratch() as folder:
        store = ObjectStore(folder / "store")
        code = _code(run, store)
        inputs = place_inputs(run.spec, run.record.workspace.store, store, data)
        interpreter = _interpreter(run, environment, folder, code, inputs)
        request = {
            "schema": REQUEST_SCHEMA,
            "store": str(store.root),
            "code": str(code),
            "inputs": inputs,
            **_records(run, recorded, store),
            **options,
        }
        (folder / REQUEST_FILE).write_text(json.dumps(request), encoding="utf-8")
        answer = answer_of_child(interpreter, folder)
        again = Result.from_bytes(store.get(answer["result_id"]))
    return _compared(run, recorded, again, answer, tolerance)


def _records(run: Run, recorded: Result, store: ObjectStore) -> dict[str, str]:
    """What of the record the second execution starts from, copied into its store."""
    kept = run.record.workspace.store
    chosen = run.spec.feature_set
    if chosen is not None and chosen.used is not None:
        store.put(kept.get(chosen.used))
    records = {"spec_id": store.put(kept.get(run.spec_id))}
    if recorded.determinism == "replayable":
        records["trials"] = store.put(kept.get(recorded.search.trials))
    return records


def _interpreter(
    run: Run, environment: EnvironmentChoice, folder: Path, code: Path, inputs: dict[str, str]
) -> Interpreter:
    if isinstance(environment, ContainerImage):
        recorded = run.envelope.image_digest
        return image_interpreter(environment, recorded, code, folder, inputs.values())
    python = Path(sys.executable)
    if environment == "build":
        python = build_environment(run, folder / "environment")
    return local_interpreter(python, code, environment)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the fresh store, swept by a later start where this process is killed."""
    try:
        with session_folder(Path(tempfile.gettempdir())) as folder:
            yield folder
    except OSError as error:
        raise StoreError(
            "the run cannot be executed again here",
            error.strerror or str(error),
            "a temporary folder that can be written, with room for the run's objects",
            "make room, or name another folder with TMPDIR",
        ) from error


def _checked(run: Run) -> Result:
    if run.result is None:
        raise ManifestError(
            f"run {run.run_id} has no result to compare with",
            run.state,
            "a run that was sealed, or rejected by a gate",
        )
    problems = verify_run(run.record).problems
    if problems:
        first = problems[0]
        raise DigestMismatchError(
            f"the record of run {run.run_id} is damaged: {first.role} {first.object}",
            first.got,
            first.expected,
            f"`mlops-ray verify {run.run_id}` names all {len(problems)}",
        )
    return run.result


def _code(run: Run, store: ObjectStore) -> Path:
    """The recorded code, extracted below the fresh store."""
    archive = next((item for item in run.envelope.objects if item.role == "code archive"), None)
    if archive is None:
        raise _too_old(run, "it recorded no code")
    data = run.record.workspace.store.get(archive.sha256)
    bundle = CodeBundle.from_archive(data, run.spec.code.tree)
    if _ENTRY not in bundle.files:
        raise _too_old(run, f"its code has no {_ENTRY}")
    return extracted(bundle, store.root)


def _too_old(run: Run, why: str) -> ManifestError:
    return ManifestError(
        f"run {run.run_id} was made by a version that cannot execute a record",
        why,
        hint="install that version and `mlops-ray run` its pipeline file; `mlops-ray runs show` "
        "tells what was asked",
    )


def _compared(
    run: Run, recorded: Result, again: Result, answer: dict[str, Any], tolerance: float | None
) -> Reproduction:
    before = RecordedEnvironment(run.spec.packages, run.envelope.platform)
    here = RecordedEnvironment(answer["packages"], answer["platform"])
    differs = [str(item) for item in compare_environments(before, here).relevant]
    policy = run.spec.environment_policy
    declared = policy.tolerance if policy else DEFAULT_TOLERANCE
    verdict, cause = verdict_of(
        recorded, again, differs, declared if tolerance is None else tolerance
    )
    return Reproduction(
        run_id=run.run_id,
        verdict=verdict,
        first_difference=first_difference(recorded, again),
        cause=cause,
        executed=sum(stage["cache"] == "miss" for stage in answer["stages"]),
        of=len(answer["stages"]),
        expected=recorded.digest,
        got=again.digest,
        environment=differs,
        applied=_applied(run, recorded),
    )


def _applied(run: Run, recorded: Result) -> list[str]:
    if recorded.determinism == "deterministic":
        return []
    # Here, so that the commands about runs need not load it.
    from mlops_ray.search.decisions import decisions_of  # noqa: PLC0415
    from mlops_ray.search.trial import read_trial_table  # noqa: PLC0415

    table = read_trial_table(run.record.workspace.store.get(recorded.search.trials))
    return decisions_of(table).in_words(run.spec.search.trials)
