"""Runs trials on Ray Tune and returns their records in the order of their indices.

Tune decides when and where a trial runs, never what it computes: indices, parameters and seeds are
fixed beforehand, errors of a fit are records, and a worker that dies is started again on the same
trial. So the records are the same for one CPU and for many, in whatever order trials end.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import tune

from mlops_ray.errors import ClusterError
from mlops_ray.runtime.ray_settings import scoped_environment
from mlops_ray.runtime.resources import check_threads
from mlops_ray.runtime.session_folder import session_folder
from mlops_ray.search.objective import SearchTask, trial_seed
from mlops_ray.search.trainable import INDEX_KEY, RECORD_KEY, SearchTrainable
from mlops_ray.search.trial import WORKER_LOST, TrialRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ray.tune.experiment import Trial

__all__ = ["run_search"]

# Only the death of a worker process counts here; errors of a fit never reach Tune.
_RESTARTS: Final = 2
_TUNE_ENVIRONMENT: Final[dict[str, str | None]] = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # No files a trial.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the run instead of cutting the search.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # Workers keep their folder.
    "RAY_AIR_NEW_OUTPUT": "0",  # The new reporter writes to stdout even where it is told not to.
    # Tune puts these into its actors' runtime environment, which Ray writes into its logs; trials
    # read nothing but the object store.
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
    "AWS_SECURITY_TOKEN": None,
    "AWS_SESSION_TOKEN": None,
}


def run_search(
    task: SearchTask,
    params_list: Sequence[dict[str, Any]],
    on_trial: Callable[[TrialRecord], None] | None = None,
) -> list[TrialRecord]:
    """Run one trial for each set of parameters.

    Args:
        task: What all trials share; it is put into the object store once.
        params_list: Parameters of trial 0, 1, ...
        on_trial: Called in this process after each trial, in the order in which they end.

    Returns:
        One record a trial, sorted by index.

    Raises:
        ClusterError: Ray is not running; nothing is started unasked.
        ResourceError: A fit needs more threads than any node has CPUs.
    """
    if not ray.is_initialized():
        raise ClusterError("a search needs Ray", hint="connect with runtime.cluster first")
    check_threads(task.threads, _cpus_of_largest_node())
    collector = _Collector(task, params_list, on_trial)
    with session_folder(Path(tempfile.gettempdir())) as folder, _quiet_tune():
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(SearchTrainable, task=task, params_list=list(params_list)),
                {"cpu": task.threads},
            ),
            param_space={INDEX_KEY: tune.grid_search(list(range(len(params_list))))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name="search",
                storage_path=str(folder),
                verbose=0,
                callbacks=[collector],
                failure_config=tune.FailureConfig(max_failures=_RESTARTS),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    return collector.records()


class _Collector(tune.Callback):
    """Keeps the record of each trial as it ends."""

    def __init__(
        self,
        task: SearchTask,
        params_list: Sequence[dict[str, Any]],
        on_trial: Callable[[TrialRecord], None] | None,
    ) -> None:
        self._task = task
        self._params_list = params_list
        self._on_trial = on_trial
        self._records: dict[int, TrialRecord] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks for a restore that we never do; the matrices and a listener
        # that draws on a terminal have no place there.
        return {}

    def on_trial_complete(
        self,
        iteration: int,  # noqa: ARG002 - Tune's signature
        trials: list[Trial],  # noqa: ARG002 - Tune's signature
        trial: Trial,
        **info: object,  # noqa: ARG002 - Tune's signature
    ) -> None:
        self._keep(TrialRecord.from_bytes(trial.last_result[RECORD_KEY].encode()))

    def on_trial_error(
        self,
        iteration: int,  # noqa: ARG002 - Tune's signature
        trials: list[Trial],  # noqa: ARG002 - Tune's signature
        trial: Trial,
        **info: object,  # noqa: ARG002 - Tune's signature
    ) -> None:
        self._keep(self._lost(trial.config[INDEX_KEY]))

    def records(self) -> list[TrialRecord]:
        """All records by index; a trial that Tune never ended counts as lost."""
        return [
            self._records.get(index) or self._lost(index) for index in range(len(self._params_list))
        ]

    def _keep(self, record: TrialRecord) -> None:
        self._records[record.index] = record
        if self._on_trial is not None:
            self._on_trial(record)

    def _lost(self, index: int) -> TrialRecord:
        return TrialRecord(
            index,
            dict(self._params_list[index]),
            str(trial_seed(self._task.seed, index)),
            "failed",
            error=WORKER_LOST,
            message=f"the worker process died {_RESTARTS + 1} times",
        )


def _cpus_of_largest_node() -> int:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return max((int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]), default=0)


@contextmanager
def _quiet_tune() -> Iterator[None]:
    """Tune as a library: its settings in the environment, its complaints of missing files off."""
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with scoped_environment(_TUNE_ENVIRONMENT):
            yield
    finally:
        logger.setLevel(level)
