"""Runs the steps of a search on Ray Tune, in slots that live through it.

Tune schedules, starts and restarts the slots; what they do, in which order, and what is kept of it
is ours (`agenda`, `dispatch`). An error of a fit is a record, so a Tune trial only fails when its
worker process dies, and then it is started again. So the records are the same for one CPU and for
many, in whatever order trials end.
"""

from __future__ import annotations

import gc
import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ray
from ray import tune
from ray.tune.execution import class_cache

from mlops_ray.config.search import TIMEOUT_S
from mlops_ray.errors import ClusterError
from mlops_ray.runtime.cluster import cpus_of_nodes, free_cpus, gpus_of_nodes
from mlops_ray.runtime.ray_settings import scoped_environment
from mlops_ray.runtime.resources import (
    check_gpus,
    check_threads,
    shares_of_cpus,
    workers_with_gpus,
)
from mlops_ray.runtime.session_folder import session_folder
from mlops_ray.search.callback import SlotCallback, StopWhenDone
from mlops_ray.search.cpu_use import CpuUse
from mlops_ray.search.dispatch import Dispatch
from mlops_ray.search.slot import SearchSlot
from mlops_ray.search.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlops_ray.search.agenda import Agenda
    from mlops_ray.search.trial import TrialRecord
    from mlops_ray.search.trial_rows import TrialTask

__all__ = ["run_search"]

_TUNE_ENVIRONMENT: Final[dict[str, str | None]] = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # No files a trial.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the run instead of cutting the search.
    "RAY_AIR_NEW_OUTPUT": "0",  # The new reporter writes to stdout even where it is told not to.
    # Tune puts these into its actors' runtime environment, which Ray writes into its logs; trials
    # read nothing but the object store. And actors with an environment of their own cannot live in
    # the workers that Ray has started already, which costs a search most of a second.
    "RAY_CHDIR_TO_TRIAL_DIR": None,  # Slots leave the folder of their trial themselves.
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
    "AWS_SECURITY_TOKEN": None,
    "AWS_SESSION_TOKEN": None,
}


def run_search(
    task: TrialTask,
    agenda: Agenda,
    on_step: Callable[[TrialRecord], None] = lambda _: None,
    on_trial: Callable[[TrialRecord], None] = lambda _: None,
    known: Iterable[TrialRecord] = (),
    timeout_s: float = TIMEOUT_S,
    use: CpuUse | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> list[TrialRecord]:
    """Run all steps of an agenda.

    Args:
        task: What all trials share; it is put into the object store once.
        agenda: The trials.
        on_step: Called in this process with the record of each step, before it counts.
        on_trial: Called with the record of each trial that has ended by one.
        known: Records of an earlier attempt; what they answer is not done again.
        timeout_s: After how long a step that is not done is taken to hang.
        use: Adds up what the slots ask for and use.
        note: Told what is worth a line.

    Returns:
        One record a trial, sorted by index.

    Raises:
        ClusterError: Ray is not running; nothing is started unasked. Or no worker stays alive, or
            memory is too short for a single one.
        ResourceError: A fit needs more threads than any node has CPUs, or a GPU and there is none.
    """
    if not ray.is_initialized():
        raise ClusterError("a search needs Ray", hint="connect with runtime.cluster first")
    n_slots, request = _shares(task)
    dispatch = Dispatch(agenda, on_step, on_trial, known)
    if dispatch.is_done:
        return agenda.records
    n_slots, use = min(n_slots, agenda.n_trials), use or CpuUse()
    use.cpus = n_slots * request["cpu"]
    slot = tune.with_resources(tune.with_parameters(SearchSlot, task=task), request)
    slots = Slots(n_slots, dispatch, note)
    with _quiet_tune():
        while not dispatch.is_done:
            callback = SlotCallback(dispatch, timeout_s, use, note)
            with slots.noticing_memory():
                _work(slot, slots.n, callback)
            callback.check()
    use.end()
    return agenda.records


def _work(slot: type[SearchSlot], n_slots: int, callback: SlotCallback) -> None:
    """Have slots work until nothing is left to do.

    Tune ends its actors after an error, but not after Ctrl-C. They end, and give their CPUs back,
    once nothing refers to them, as the traceback would.
    """
    interrupt = None
    with session_folder(Path(tempfile.gettempdir())) as folder:
        try:
            _tuner(slot, n_slots, callback, str(folder)).fit()
        except KeyboardInterrupt as pressed:
            interrupt = pressed.with_traceback(None)
    if interrupt is not None:
        callback.forget_slots()
        gc.collect()  # Tune's objects refer to each other.
        raise interrupt


def _tuner(slot: type[SearchSlot], n_slots: int, callback: SlotCallback, folder: str) -> tune.Tuner:
    return tune.Tuner(
        slot,
        param_space={"slot": tune.grid_search(list(range(n_slots)))},
        run_config=tune.RunConfig(
            name="search",
            storage_path=folder,
            verbose=0,
            callbacks=[callback],
            stop=StopWhenDone(callback),
            failure_config=tune.FailureConfig(max_failures=-1),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )


def _shares(task: TrialTask) -> tuple[int, dict[str, float]]:
    """How many slots there are, and what each asks Ray for."""
    cpus = cpus_of_nodes()
    check_threads(task.threads, int(max(cpus, default=0)))
    n_slots, share = shares_of_cpus(task.threads, cpus, free_cpus())
    if task.guidance.device == "cpu":
        return n_slots, {"cpu": share}
    gpus = gpus_of_nodes()
    check_gpus(sum(gpus))
    pairs = list(zip(cpus, gpus, strict=True))
    return min(n_slots, workers_with_gpus(task.threads, pairs)), {"cpu": share, "gpu": 1.0}


@contextmanager
def _quiet_tune() -> Iterator[None]:
    """Tune as a library: its settings in the environment, its complaints and tracebacks off.

    What becomes of a slot that died is told by `SlotCallback`.
    """
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    of_actors = dict(class_cache.DEFAULT_ENV_VARS)
    class_cache.DEFAULT_ENV_VARS.clear()
    try:
        with scoped_environment(_TUNE_ENVIRONMENT):
            yield
    finally:
        class_cache.DEFAULT_ENV_VARS.update(of_actors)
        logger.setLevel(level)
