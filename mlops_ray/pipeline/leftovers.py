"""What interrupted runs left on the cluster that is joined: ended before the next run starts.

Ray ends the workers of a driver that died by itself, within a second (measured with 2.60, also
where a worker was stopped by a signal or hung in a fit), unless it does not learn of the death, as
when the driver's node was cut off. So whoever joins gives Ray some seconds, and ends what still
lives then: a task on its node kills it. Detached actors belong to all and are spared, such as those
of Ray Data. What lives is told by Ray's dashboard; on a cluster without one, all is left to Ray.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import psutil
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from ray.util.state import list_actors, list_tasks
from ray.util.state.exception import DataSourceUnavailable, RayStateApiException

from mlops_ray.manifest import list_runs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlops_ray.runtime.cluster import Cluster
    from mlops_ray.storage import Workspace
    from mlops_ray.telemetry import Progress

__all__ = ["end_job", "end_leftovers"]

_GRACE_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.25
_ANSWER_WITHIN_S: Final = 10
_ENDED_WITHIN_S: Final = 30.0
_MOST: Final = 10_000


def end_leftovers(
    workspace: Workspace, cluster: Cluster, progress: Progress, grace_s: float = _GRACE_S
) -> None:
    """End what still lives on a joined cluster of the interrupted runs of a store; bounded in time.

    Args:
        workspace: The store.
        cluster: To which this process is connected.
        progress: Is told what was ended.
        grace_s: How long Ray may take to end it by itself.
    """
    for record in list_runs(workspace):
        announced = record.announced()
        if announced.get("ray_session") != cluster.session or record.state() != "interrupted":
            continue
        ended = end_job(cluster.address, announced["ray_job_id"], grace_s)
        if ended:
            progress.note(f"ended {len(ended)} workers of the interrupted run {record.run_id}")
        record.forget_cluster()


def end_job(address: str, job_id: str, grace_s: float = _GRACE_S) -> list[int]:
    """Kill the workers of a job that Ray has not ended by itself; returns their process ids.

    Args:
        address: Of the cluster to which this process is connected.
        job_id: As `ray.get_runtime_context().get_job_id()` named it to the job's driver.
        grace_s: How long Ray may take to end them by itself.
    """
    deadline = time.monotonic() + grace_s
    while (found := _workers_of(address, job_id)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    asked = [
        _end_here.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)
        ).remote(pids)
        for node_id, pids in found.items()
    ]
    if not asked:
        return []
    answered, _ = ray.wait(asked, num_returns=len(asked), timeout=_ENDED_WITHIN_S)
    return sorted(pid for answer in answered for pid in _pids_of(answer))


def _workers_of(address: str, job_id: str) -> Mapping[str, set[int]]:
    """Node -> process ids of the workers that do something for a job, as far as Ray tells."""
    of_job = ("job_id", "=", job_id)
    options: dict[str, Any] = {
        "address": address,
        "limit": _MOST,
        "timeout": _ANSWER_WITHIN_S,
        "detail": True,
        "raise_on_missing_output": False,
    }
    try:
        actors = list_actors(filters=[of_job, ("state", "=", "ALIVE")], **options)
        tasks = list_tasks(filters=[of_job, ("state", "=", "RUNNING")], **options)
    except (RayStateApiException, DataSourceUnavailable, OSError):  # No dashboard, or a busy one.
        return {}
    found = defaultdict[str, set[int]](set)
    for actor in actors:
        if not actor.is_detached and actor.pid:
            found[str(actor.node_id)].add(actor.pid)
    for task in tasks:
        if task.type == "NORMAL_TASK" and task.worker_pid:
            found[str(task.node_id)].add(task.worker_pid)
    return found


def _pids_of(answer: Any) -> list[int]:  # noqa: ANN401 - an object reference
    try:
        pids: list[int] = ray.get(answer)
    except RayError:  # The node has ended meanwhile.
        return []
    return pids


@ray.remote(num_cpus=0, max_retries=0)
def _end_here(pids: Collection[int]) -> list[int]:
    """Kill those of the processes that this node's raylet has started."""
    raylet = psutil.Process(os.getppid())
    doomed = [process for process in raylet.children() if process.pid in pids]
    for process in doomed:
        process.kill()
    gone, _ = psutil.wait_procs(doomed, timeout=_ENDED_WITHIN_S / 2)
    return [process.pid for process in gone]
