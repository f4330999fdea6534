"""Runs a function once on a Ray worker, where threads are pinned and the driver stays free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import ray
from ray.exceptions import RayTaskError
from threadpoolctl import threadpool_limits

from mlops_ray.errors import MlopsRayError
from mlops_ray.runtime.cluster import cpus_of_nodes, free_cpus, gpus_of_nodes
from mlops_ray.runtime.importable import check_importable
from mlops_ray.runtime.resources import check_gpus, check_threads, shares_of_cpus

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["on_worker"]

T = TypeVar("T")


def on_worker(fn: Callable[..., T], *arguments: Any, threads: int, gpus: int = 0) -> T:  # noqa: ANN401 - any
    """The value of ``fn(*arguments)``, computed by a Ray task that owns `threads` CPUs.

    Large arguments may be Ray object references. Where less is free, say beside an endpoint, the
    task asks for what there is; it uses as many threads in any case.

    Raises:
        ResourceError: No node has so many CPUs, or it is to have a GPU and there is none.
        ConfigError: `fn` is of no module that workers can import.
        MlopsRayError: What `fn` raised on purpose, as if it had run here.
    """
    check_importable(fn)
    if gpus:
        check_gpus(sum(gpus_of_nodes()))
    options: dict[str, Any] = {"num_cpus": _share(threads), "num_gpus": gpus, "max_retries": 2}
    task = ray.remote(_pinned).options(**options)
    try:
        value: T = ray.get(task.remote(fn, threads, *arguments))
    except RayTaskError as error:
        if isinstance(error.cause, MlopsRayError):
            raise error.cause from None
        raise
    return value


def _share(threads: int) -> float:
    cpus = cpus_of_nodes()
    check_threads(threads, int(max(cpus, default=0)))
    return shares_of_cpus(threads, cpus, free_cpus())[1]


def _pinned(fn: Callable[..., T], threads: int, *arguments: Any) -> T:  # noqa: ANN401 - any
    with threadpool_limits(limits=threads):
        return fn(*arguments)
