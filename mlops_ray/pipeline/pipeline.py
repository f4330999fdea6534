"""A pipeline file as something to check and to run."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.config.loader import load_config
from mlops_ray.errors import ConfigError
from mlops_ray.manifest import RunRecord, new_run
from mlops_ray.pipeline.attempt import Attempt, Means
from mlops_ray.pipeline.circumstances import Circumstances
from mlops_ray.pipeline.freeze import freeze
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.pipeline.project import Project
from mlops_ray.pipeline.records import register_run
from mlops_ray.pipeline.resolve import Resolved, parameter_problems, resolve
from mlops_ray.pipeline.run import Run, load_run
from mlops_ray.pipeline.upload import check_outlives_upload
from mlops_ray.runtime.address import check_address
from mlops_ray.runtime.resources import check_threads
from mlops_ray.telemetry import LoggedProgress, RunLog, SilentProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.telemetry import Progress

__all__ = ["IN_PROCESS_BELOW_BYTES", "Pipeline"]

# Below it Ray Data's fixed cost of some seconds would be most of the time; answers are the same.
IN_PROCESS_BELOW_BYTES: Final = 256 * 2**20
_LOCK_TIMEOUT_S: Final = 10.0  # Nobody else wants it; who lists runs holds it for a moment.
_THRESHOLD_VARIABLE: Final = "MLOPS_RAY_IN_PROCESS_BELOW_BYTES"


class Pipeline:
    """A pipeline file with its project's store and registry.

    Args:
        config: Path of the pipeline file.
        overrides: ``dotted.key=value`` texts that win over the file.
        store: Folder of the store; else ``MLOPS_RAY_STORE``; else ``.mlops_ray/store``.
        registry: Path or URL; else ``MLOPS_RAY_REGISTRY``; else ``.mlops_ray/registry.db``.

    Raises:
        InvalidConfigError: The file has mistakes; all of them are listed.
    """

    def __init__(
        self,
        config: str | Path,
        *,
        overrides: Sequence[str] = (),
        store: str | Path | None = None,
        registry: str | Path | None = None,
    ) -> None:
        self.loaded = load_config(Path(config), overrides, parameter_problems)
        self.project = Project(Path(config).absolute().parent, store=store, registry=registry)

    def check(self) -> dict[str, Any]:
        """Hold the file against its data and its estimator, without Ray and without writing.

        Raises:
            InvalidConfigError: A parameter or a value does not fit the estimator.
            DataError: Data are missing, unreadable or lack a column.
        """
        return self._resolved().to_json()

    def run(
        self,
        *,
        num_cpus: int | None = None,
        address: str | None = None,
        progress: Progress | None = None,
        in_process_below_bytes: int | None = None,
    ) -> Run:
        """Run every stage, seal the manifest, and register the model if its gates passed.

        Only the pipeline file can change the result, none of these arguments.

        Args:
            num_cpus: CPUs of a local cluster; all by default.
            address: Cluster to join; else ``RAY_ADDRESS``; else a local one is started.
            progress: Who is told how far the run is.
            in_process_below_bytes: Inputs smaller than this are read without Ray Data.

        Returns:
            The run, sealed or rejected by a gate.

        Raises:
            MlopsRayError: The run failed; its record is kept in state `failed`.
        """
        resolved = self._resolved()
        target = address or os.environ.get("RAY_ADDRESS") or "local"
        if target == "local":
            check_threads(resolved.loaded.config.model.threads, num_cpus or os.cpu_count() or 1)
        else:
            check_address(target)
        means = Means(num_cpus, address, _threshold_bytes(in_process_below_bytes))
        self.project.workspace.prepare()
        # Before there is a record: what fails here, such as a file that changes, was never a run.
        objects = ObjectList(self.project.workspace.store)
        frozen = freeze(resolved, objects)
        with ExitStack() as stack:
            record = new_run(self.project.workspace)
            stack.enter_context(record.lock().acquire(timeout=_LOCK_TIMEOUT_S))
            log = stack.enter_context(RunLog(record.log_path))
            listener = LoggedProgress(log, progress or SilentProgress())
            stack.callback(listener.close)
            circumstances = Circumstances(record.run_id, self.loaded, self.project.root)
            Attempt(record, log, listener, circumstances, means).run(frozen, objects)
            return self._registered(record)

    def _resolved(self) -> Resolved:
        source = self.loaded.config.data.source.path
        check_outlives_upload(self.project.workspace, source, self.project.root)
        return resolve(self.loaded, self.project.root)

    def _registered(self, record: RunRecord) -> Run:
        run = load_run(record)
        declared = run.spec.register_
        if run.state != "sealed" or declared is None:
            return run
        version = register_run(run, self.project.registry, declared.alias)
        return Run(run.record, run.envelope, run.spec, run.result, version)


def _threshold_bytes(given: int | None) -> int:
    if given is not None:
        return given
    text = os.environ.get(_THRESHOLD_VARIABLE, str(IN_PROCESS_BELOW_BYTES))
    if not text.isdecimal():
        raise ConfigError(f"{_THRESHOLD_VARIABLE} must be a number of bytes", repr(text))
    return int(text)
