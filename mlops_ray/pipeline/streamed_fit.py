"""The last fit where the rows fit no worker: from one worker's disk, or shared out among several.

In a distributed fit the worker of rank r takes the units r, r + n, r + 2n, ... of the input,
wherever it runs; so what each contributes, and in which order it is added up, follows from n alone.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ray.train
from ray.data import DataContext
from ray.train.xgboost import XGBoostTrainer
from threadpoolctl import threadpool_limits

from mlops_ray.errors import ClusterError, MlopsRayError
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance
from mlops_ray.models.xgboost_stream import external_training, shared_training
from mlops_ray.runtime.session_folder import session_folder
from mlops_ray.search.streamed_task import spooled, streamed_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlops_ray.config.model import Task
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.spool import SpoolUnit
    from mlops_ray.features.unit_rows import MatrixPlan

__all__ = ["StreamedFit", "fit_distributed", "fit_external"]

_MOST_FAILURES: Final = 2


@dataclass(frozen=True, slots=True)
class StreamedFit:
    """A fit as it travels to those who do it.

    Attributes:
        plan: What the rows are made of; its parts are fitted to one after another.
        units: Where they are read.
        work: `spool_unit`, as it is guarded.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        params: Parameters of the fit.
        seed: Seed of all randomness.
        threads: Threads of each worker.
        guidance: Constraints of the fit.
    """

    plan: MatrixPlan
    units: Sequence[Unit]
    work: SpoolUnit
    task: Task
    n_classes: int
    params: Mapping[str, Any]
    seed: int
    threads: int
    guidance: Guidance = NO_GUIDANCE


def fit_external(fit: StreamedFit) -> dict[str, bytes]:
    """Fit in this process to rows on its disk; the estimator as files.

    Raises:
        ModelError: The rows cannot be used.
        DataError: The input cannot be read.
    """
    with spooled(fit.plan, fit.units, fit.threads, fit.work) as found:
        rows = streamed_rows(found, fit.plan.parts, fit.task, fit.n_classes)
        training = external_training(rows, fit.threads, found.folder, fit.guidance)
        files = training.fit(fit.params, seed=fit.seed).to_files()
        del training  # Closes its files before they go.
        return files


def fit_distributed(fit: StreamedFit, workers: int) -> dict[str, bytes]:
    """Fit with several workers of Ray Train, started again where one dies; the estimator as files.

    Raises:
        MlopsRayError: What a worker raised on purpose, as if it had run here.
        ClusterError: The workers died again and again.
    """
    with session_folder(Path(tempfile.gettempdir())) as folder, _quiet_train():
        loop: Callable[..., Any] = fit_share  # Ray's annotation knows none that hand back.
        trainer = XGBoostTrainer(
            loop,
            train_loop_config={"fit": fit},
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers, resources_per_worker={"CPU": fit.threads}
            ),
            run_config=ray.train.RunConfig(
                name="fit",
                storage_path=str(folder),
                failure_config=ray.train.FailureConfig(max_failures=_MOST_FAILURES),
            ),
        )
        try:
            result: Any = trainer.fit()
        except ray.train.TrainingFailedError as error:
            raise _cause(error) from error
    files: dict[str, bytes] = result.return_value
    return files


def fit_share(config: dict[str, Any]) -> dict[str, bytes] | None:
    """What each worker of a distributed fit does; the first one hands back the estimator."""
    fit: StreamedFit = config["fit"]
    context = ray.train.get_context()
    rank, n = context.get_world_rank(), context.get_world_size()
    with (
        threadpool_limits(limits=fit.threads),
        spooled(fit.plan, fit.units[rank::n], fit.threads, fit.work) as found,
    ):
        rows = streamed_rows(found, fit.plan.parts, fit.task, fit.n_classes)
        training = shared_training(rows, fit.threads, fit.guidance)
        fitted = training.fit(fit.params, seed=fit.seed)
        return None if rank else fitted.to_files()


def _cause(error: BaseException) -> MlopsRayError:
    """What a worker said of its own accord, or that they died."""
    failures = getattr(error, "worker_failures", {})
    for _, failure in sorted(failures.items()):
        if isinstance(failure, MlopsRayError):
            return failure
    last_line = str(error).strip().splitlines()[-1]
    return ClusterError(
        "the workers of a distributed fit died or failed",
        last_line,
        hint="the cause stands in Ray's logs; give workers more memory, or declare more of them",
    )


@contextmanager
def _quiet_train() -> Iterator[None]:
    """Ray Train as a library: what it tells of its workers is told by the run's own stages."""
    logger = logging.getLogger("ray.train")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Ray Data's context sets its own deprecated field when it is made, which Train does.
        warnings.simplefilter("ignore", DeprecationWarning)
        DataContext.get_current()
    try:
        yield
    finally:
        logger.setLevel(level)
