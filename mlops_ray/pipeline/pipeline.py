"""A pipeline file as something to check, to plan and to run."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.config.loader import load_config
from mlops_ray.errors import ConfigError, InvalidConfigError
from mlops_ray.features.declaration import step_problems
from mlops_ray.manifest import RunRecord, new_run
from mlops_ray.pipeline.contract_rules import check_schema
from mlops_ray.pipeline.declared import STAGE_NAMES
from mlops_ray.pipeline.engine import Reuse
from mlops_ray.pipeline.keep_inputs import keep_inputs
from mlops_ray.pipeline.parameter_checks import check_parameters, parameter_problems
from mlops_ray.pipeline.plan import Plan, make_plan
from mlops_ray.pipeline.records import Records, register_run
from mlops_ray.pipeline.resolve import Resolved, resolve
from mlops_ray.pipeline.run import Run, load_run
from mlops_ray.pipeline.threshold import threshold_bytes
from mlops_ray.pipeline.upload import check_outlives_upload
from mlops_ray.pipeline.warm_start import with_warm_start
from mlops_ray.runtime.address import await_address
from mlops_ray.runtime.resources import check_threads, check_workers
from mlops_ray.storage import DigestCache, fail_point
from mlops_ray.telemetry import LoggedProgress, RunLog, SilentProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.pipeline.feature_build import FeatureTable
    from mlops_ray.pipeline.keep_inputs import SnapshotReport
    from mlops_ray.pipeline.project import Project
    from mlops_ray.telemetry import Progress

__all__ = ["Pipeline"]

_LOCK_TIMEOUT_S: Final = 10.0  # Nobody else wants it; who lists runs holds it for a moment.


class Pipeline:
    """A pipeline file with its project's store and registry.

    Args:
        config: Path of the pipeline file.
        overrides: ``dotted.key=value`` texts that win over the file.
        data: A pandas DataFrame, pyarrow Table or Ray Dataset to be read instead of `data.source`.
            What is read is a snapshot of it in the store, so the run can be executed again.
        store: Folder or URL of the store; else ``MLOPS_RAY_STORE``; else ``.mlops_ray/store``.
        registry: Path or URL; else ``MLOPS_RAY_REGISTRY``; else ``.mlops_ray/registry.db``.

    Raises:
        InvalidConfigError: The file has mistakes; all of them are listed.
    """

    def __init__(
        self,
        config: str | Path,
        *,
        overrides: Sequence[str] = (),
        data: object = None,
        store: str | Path | None = None,
        registry: str | Path | None = None,
    ) -> None:
        try:
            self.loaded = load_config(Path(config), overrides, steps=step_problems)
        except InvalidConfigError:  # With wrong parameters, if there are any, in the same list.
            load_config(Path(config), overrides, parameter_problems, step_problems)
            raise
        self.data = data
        self.records = Records(Path(config).absolute().parent, store=store, registry=registry)

    @cached_property
    def project(self) -> Project:
        """The pipeline's project, with everything that can be asked of it."""
        from mlops_ray.pipeline.project import Project  # noqa: PLC0415 - loads model libraries

        workspace = self.records.workspace
        return Project(self.records.root, store=workspace.location.url, registry=workspace.registry)

    def check(self) -> dict[str, Any]:
        """Hold the file against its data and its estimator, without Ray and without writing.

        Raises:
            InvalidConfigError: A parameter or a value does not fit the estimator.
            ContractError: Columns are not those that the contract declares.
            DataError: Data are missing, unreadable or lack a column.
        """
        check_parameters(self.loaded)
        resolved = self._resolved()
        check_schema(self.loaded, resolved.schema)
        return resolved.to_json()

    def plan(self, *, from_stage: str | None = None, no_cache: bool = False) -> Plan:
        """Say which stages a run would compute now and why; nothing is run.

        Raises:
            InvalidConfigError: As for `check`; looked for where a search would run.
            DataError: Data are missing, unreadable or lack a column.
        """
        workspace = self.records.workspace
        reuse = _reuse(from_stage, no_cache=no_cache)
        plan = make_plan(self._resolved(), workspace, self.records.root, self._digests(), reuse)
        if plan.action("search") == "run":
            check_parameters(self.loaded)
        return plan

    def snapshot(self) -> SnapshotReport:
        """Copy the exact inputs into the store, whatever their size; nothing is run.

        A later run reads the copies if the inputs are still the same, and `reproduce` finds them.

        Raises:
            DataError: Data are missing, unreadable or lack a column.
            StoreError: The store cannot be written.
        """
        workspace = self.records.workspace
        resolved = self._resolved(keep=True)
        workspace.prepare()
        return keep_inputs(resolved, workspace.store, self._digests(), self.records.root)

    def run(
        self,
        *,
        num_cpus: int | None = None,
        address: str | None = None,
        progress: Progress | None = None,
        in_process_below_bytes: int | None = None,
        from_stage: str | None = None,
        no_cache: bool = False,
    ) -> Run:
        """Run every stage, seal the manifest, and register the model if its gates passed.

        A stage whose key stands in the store is reused after all its objects were checked; so the
        same call goes on after a kill. Only the pipeline file, the data, the code and the packages
        can change the result, none of these arguments.

        Args:
            num_cpus: CPUs of a local cluster; all by default.
            address: Cluster to join; else ``RAY_ADDRESS``; else a local one is started.
            progress: Who is told how far the run is.
            in_process_below_bytes: Inputs smaller than this are read without Ray Data.
            from_stage: Compute this stage and all after it, whatever the store holds.
            no_cache: Compute every stage.

        Returns:
            The run, sealed or rejected: by a gate, or because data break their contract.

        Raises:
            MlopsRayError: The run failed; its record is kept in state `failed`.
        """
        # Imported here, so that `plan` and `check` load neither Ray nor a model library.
        from mlops_ray.pipeline.attempt import Attempt  # noqa: PLC0415
        from mlops_ray.pipeline.begin import begin  # noqa: PLC0415
        from mlops_ray.pipeline.workers import Placement  # noqa: PLC0415

        reuse = _reuse(from_stage, no_cache=no_cache)
        check_parameters(self.loaded)
        self._check_place(address, num_cpus)
        if self.loaded.config.register_ is not None:
            _ = self.records.registry  # One that cannot be used is refused before the work.
        placement = Placement(num_cpus, address, threshold_bytes(in_process_below_bytes))
        workspace = self.records.workspace
        resolved = self._resolved(keep=True)
        workspace.prepare()
        with ExitStack() as stack:
            store = stack.enter_context(workspace.store.lease())
            # Before there is a record: what fails here, such as a changing file, was never a run.
            start = begin(resolved, store, self._digests(), self.records.root, num_cpus)
            fail_point("run.frozen")
            record = new_run(workspace)
            stack.enter_context(record.lock().acquire(timeout=_LOCK_TIMEOUT_S))
            fail_point("record.locked")
            log = stack.enter_context(RunLog(record.log_path))
            fail_point("record.log_opened")
            listener = LoggedProgress(log, progress or SilentProgress())
            stack.callback(listener.close)
            circumstances = start.circumstances(record, self.loaded, self.records.root)
            attempt = Attempt(record, log, listener, circumstances, placement, reuse, start.folder)
            attempt.run(start.frozen, start.objects, self._digests())
            return self._registered(record)

    def build_features(
        self,
        out: str | Path,
        *,
        num_cpus: int | None = None,
        address: str | None = None,
        progress: Progress | None = None,
        in_process_below_bytes: int | None = None,
        no_cache: bool = False,
        sparse: bool = False,
    ) -> FeatureTable:
        """Fit the declared features and write every row transformed, as Parquet files.

        Runs ingest, split and profile as `run` does, and shares their cache with it. The files hold
        the key, the part of the split and the features as 32-bit floats; ``_manifest.json`` beside
        them holds their digests, the data's fingerprint and the fitted state.

        Args:
            out: Folder to make; it appears complete or not at all.
            num_cpus: As for `run`.
            address: As for `run`; its nodes have to share the file system of `out`.
            progress: As for `run`.
            in_process_below_bytes: As for `run`.
            no_cache: As for `run`.
            sparse: Write a row's features as ``indices`` and ``values``, without its zeros.

        Raises:
            StoreError: The folder is there already, or cannot be written.
            DataError: The data cannot be read, or do not hold to the contract.
        """
        from mlops_ray.pipeline.feature_build import FeatureBuild  # noqa: PLC0415
        from mlops_ray.pipeline.workers import Placement  # noqa: PLC0415

        resolved = self._resolved(keep=True)
        self._check_place(address, num_cpus)
        placement = Placement(num_cpus, address, threshold_bytes(in_process_below_bytes))
        workspace = self.records.workspace
        workspace.prepare()
        build = FeatureBuild(
            resolved,
            workspace,
            self.records.root,
            placement,
            self._digests(),
            _reuse(None, no_cache=no_cache),
            progress or SilentProgress(),
            sparse,
        )
        return build.write(Path(out))

    def _digests(self) -> DigestCache:
        return DigestCache(self.records.workspace.store_root / "digests.db")

    def _resolved(self, *, keep: bool = False) -> Resolved:
        workspace, root, source = self.records.workspace, self.records.root, self.loaded.config.data
        path = source.source.path if source.source and self.data is None else None
        check_outlives_upload(workspace, path, root)
        use = self.loaded.config.feature_set.use
        feature_set = None if use is None else self.records.feature_set(use)
        loaded = with_warm_start(self.loaded, workspace.store, self.records.run)
        return resolve(loaded, root, workspace.store, self.data, keep=keep, feature_set=feature_set)

    def _check_place(self, address: str | None, num_cpus: int | None) -> None:
        target = address or os.environ.get("RAY_ADDRESS") or "local"
        if target == "local":
            model, cpus = self.loaded.config.model, num_cpus or os.cpu_count() or 1
            check_threads(model.threads, cpus)
            check_workers(model.workers, model.threads, cpus)
        else:
            await_address(target)

    def _registered(self, record: RunRecord) -> Run:
        run = load_run(record)
        declared = run.spec.register_
        if run.state != "sealed" or declared is None:
            return run
        fail_point("run.registering")
        version = register_run(run, self.records.registry, declared.alias)
        fail_point("run.registered")
        return Run(run.record, run.envelope, run.spec, run.result, version)


def _reuse(from_stage: str | None, *, no_cache: bool) -> Reuse:
    if from_stage is not None and from_stage not in STAGE_NAMES:
        raise ConfigError(
            "there is no such stage", repr(from_stage), f"one of {', '.join(STAGE_NAMES)}"
        )
    return Reuse(is_allowed=not no_cache, before=from_stage)
