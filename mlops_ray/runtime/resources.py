"""What the machine or the cluster can give, asked before anything is started."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from mlops_ray.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "check_gpus",
    "check_threads",
    "check_workers",
    "memory_limit_bytes",
    "object_store_bytes",
    "shares_of_cpus",
    "workers_with_gpus",
]

_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the mount point Ray's object store uses
_LEAST_SHARE: Final = 0.1  # Of a CPU.
_SMALLEST_STORE_BYTES: Final = 80 * 2**20  # Ray refuses less than 75 MiB.


def check_threads(threads: int, cpus: int) -> None:
    """Refuse a fit that no node of the cluster could ever schedule.

    Raises:
        ResourceError: One fit asks for more threads than there are CPUs.
    """
    if threads > cpus:
        raise ResourceError(
            "one fit asks for more threads than any node of the cluster has CPUs",
            f"model.threads = {threads}",
            f"at most {cpus}",
            "lower model.threads, or join a larger cluster with --address",
        )


def check_workers(workers: int, threads: int, cpus: int) -> None:
    """Refuse a fit whose workers do not fit into the cluster together.

    Args:
        workers: Workers that fit one model together.
        threads: Threads of each.
        cpus: CPUs of the whole cluster.

    Raises:
        ResourceError: There are fewer CPUs.
    """
    if workers > 1 and workers * threads > cpus:
        raise ResourceError(
            "the workers of one fit ask for more threads than the cluster has CPUs",
            f"model.workers = {workers}, model.threads = {threads}",
            f"at most {cpus} threads in all",
            "lower model.workers or model.threads, or join a larger cluster with --address",
        )


def check_gpus(gpus: float) -> None:
    """Refuse a fit on a GPU where no node of the cluster has one.

    Raises:
        ResourceError: There is none.
    """
    if gpus < 1:
        raise ResourceError(
            "no GPU is visible to Ray, and the fits want one",
            "model.device = cuda",
            "a node with a GPU",
            "set model.device to cpu, join a cluster with --address, or look at what nvidia-smi "
            "and CUDA_VISIBLE_DEVICES say",
        )


def shares_of_cpus(threads: int, node_cpus: Sequence[float], free: float) -> tuple[int, float]:
    """How many workers of `threads` threads the nodes hold, and the CPUs to ask for each.

    Where less is free than one worker wants, say beside an endpoint, one worker asks for what there
    is; where next to nothing is free, it waits for those who work now.

    Args:
        threads: Threads of a worker, at most the CPUs of the largest node.
        node_cpus: CPUs of each node.
        free: CPUs that nobody holds.

    Example:
        >>> shares_of_cpus(2, [4.0, 3.0], free=7.0)
        (3, 2.0)
        >>> shares_of_cpus(2, [2.0], free=0.5)
        (1, 0.5)
    """
    if _LEAST_SHARE <= free < threads:
        # Ray takes only whole numbers above 1, and counts in ten-thousandths below.
        return 1, float(math.floor(free)) if free >= 1 else math.floor(free * 1000) / 1000
    return sum(int(cpus // threads) for cpus in node_cpus), float(threads)


def workers_with_gpus(threads: int, nodes: Sequence[tuple[float, float]]) -> int:
    """How many workers of `threads` threads and a GPU each the nodes hold, at least one.

    Args:
        threads: Threads of a worker.
        nodes: CPUs and GPUs of each node.

    Example:
        >>> workers_with_gpus(2, [(8.0, 1.0), (2.0, 4.0), (16.0, 0.0)])
        2
    """
    return max(1, sum(min(int(cpus // threads), int(gpus)) for cpus, gpus in nodes))


def memory_limit_bytes() -> int:
    """Memory this process may use: the machine's, or the container's where that is less."""
    limits = [psutil.virtual_memory().total]
    for path in _CGROUP_LIMITS:
        text = path.read_text(encoding="ascii").strip() if path.is_file() else ""
        if text.isdecimal():  # The other value is "max".
            limits.append(int(text))
    return min(limits)


def object_store_bytes(memory_bytes: int | None = None, shared_bytes: int | None = None) -> int:
    """Size for the object store of a cluster on this machine.

    Ray's own share of 30 % of the memory, but never more than /dev/shm can hold: beyond that Ray
    falls back to files on disk, ten times slower.

    Args:
        memory_bytes: Memory to share out; by default `memory_limit_bytes`.
        shared_bytes: Free bytes of /dev/shm; by default measured, where it exists.

    Example:
        >>> object_store_bytes(memory_bytes=10 * 2**30, shared_bytes=2**30) // 2**20
        972
    """
    memory = memory_limit_bytes() if memory_bytes is None else memory_bytes
    wanted = memory * 3 // 10
    if shared_bytes is None and _SHARED_MEMORY.is_dir():
        shared_bytes = shutil.disk_usage(_SHARED_MEMORY).free
    if shared_bytes is not None:
        wanted = min(wanted, shared_bytes * 95 // 100)
    return max(wanted, _SMALLEST_STORE_BYTES)
