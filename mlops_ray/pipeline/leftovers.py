"""What interrupted runs left on the cluster that is joined: ended before the next run starts.

Ray ends the workers of a driver that died, at once or, where one does not heed SIGTERM, after 5 s.
Two kinds stay: all of them where Ray does not learn of the death, as when the driver's node was cut
off; and a worker that hangs while it starts, which Ray counts to no job before it has registered
and gives 60 s (`worker_register_timeout_seconds`; measured with 2.60: a worker stopped there lived
for 58 s). So whoever joins asks every node. A task there knows a job's workers by what the raylet
tells each of its children when it starts them, `RAY_JOB_ID`, gives Ray some seconds, and kills
those that still live. Workers without a job of their own, which Ray starts ahead, are not touched;
runs have none, since code is shipped to theirs. Detached actors belong to all and are spared, such
as those of Ray Data; which they are Ray's dashboard tells. On a cluster without one all is left to
Ray.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import psutil
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from ray.util.state import list_actors
from ray.util.state.exception import DataSourceUnavailable, RayStateApiException

from mlops_ray.manifest import list_runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mlops_ray.runtime.cluster import Cluster
    from mlops_ray.storage import Workspace
    from mlops_ray.telemetry import Progress

__all__ = ["end_jobs", "end_leftovers"]

_GRACE_S: Final = 6.0  # Ray kills after 5 s what does not heed its SIGTERM.
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
    left = {}
    for record in list_runs(workspace):
        announced = record.announced()
        if announced.get("ray_session") == cluster.session and record.state() == "interrupted":
            left[announced["ray_job_id"]] = record
    if not left:
        return
    ended = end_jobs(cluster.address, left.keys(), grace_s)
    if ended is None:
        return  # The next start asks again.
    for job_id, record in left.items():
        if count := len(ended.get(job_id, ())):
            progress.note(f"ended {count} workers of the interrupted run {record.run_id}")
        record.forget_cluster()


def end_jobs(
    address: str, job_ids: Collection[str], grace_s: float = _GRACE_S
) -> Mapping[str, list[int]] | None:
    """Kill the workers of jobs that Ray has not ended by itself.

    Args:
        address: Of the cluster to which this process is connected.
        job_ids: As `ray.get_runtime_context().get_job_id()` named them to the jobs' drivers.
        grace_s: How long Ray may take to end them by itself.

    Returns:
        Job -> process ids of those that were killed; None where not every node could be asked.
    """
    spared = _detached_actors(address)
    if spared is None:
        return None
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    asked = [
        _end_here.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False))
        .remote(set(job_ids), spared.get(node_id, set()), grace_s)
        for node_id in (node["NodeID"] for node in nodes if node["Alive"])
    ]  # fmt: skip
    answered, late = ray.wait(asked, num_returns=len(asked), timeout=grace_s + _ENDED_WITHIN_S)
    ended = defaultdict[str, list[int]](list)
    for answer in answered:
        for job_id, pid in _ended_by(answer):
            ended[job_id].append(pid)
    return None if late else ended


def _detached_actors(address: str) -> Mapping[str, set[int]] | None:
    """Node -> process ids of what belongs to no driver; None where Ray does not tell."""
    try:
        actors = list_actors(
            address=address,
            filters=[("state", "=", "ALIVE")],
            limit=_MOST,
            timeout=_ANSWER_WITHIN_S,
            detail=True,
        )
    except (RayStateApiException, DataSourceUnavailable, OSError):  # No dashboard, or a busy one.
        return None
    found = defaultdict[str, set[int]](set)
    for actor in actors:
        if actor.is_detached and actor.pid:
            found[str(actor.node_id)].add(actor.pid)
    return found


def _ended_by(answer: Any) -> list[tuple[str, int]]:  # noqa: ANN401 - an object reference
    try:
        ended: list[tuple[str, int]] = ray.get(answer)
    except RayError:  # The node has ended meanwhile, and its workers with it.
        return []
    return ended


@ray.remote(num_cpus=0, max_retries=0)
def _end_here(
    job_ids: Collection[str], spared: Collection[int], grace_s: float
) -> list[tuple[str, int]]:
    """Kill what this node's raylet has started for the jobs; returns their jobs and process ids."""
    job_of = dict(_workers_of(job_ids, spared))
    _, alive = psutil.wait_procs(job_of, timeout=grace_s)
    for process in alive:
        process.kill()
    gone, _ = psutil.wait_procs(alive, timeout=_ENDED_WITHIN_S / 2)
    return [(job_of[process], process.pid) for process in gone]


def _workers_of(
    job_ids: Collection[str], spared: Collection[int]
) -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.Process(os.getppid()).children():
        try:
            job_id = process.environ().get("RAY_JOB_ID", "")
        except psutil.Error:  # Ended meanwhile.
            continue
        if job_id in job_ids and process.pid not in spared:
            yield process, job_id
