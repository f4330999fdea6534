"""Runs a function once on a Ray worker, where threads are pinned and the driver stays free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import ray
from ray.exceptions import RayTaskError
from threadpoolctl import threadpool_limits

from mlops_ray.errors import MlopsRayError
from mlops_ray.runtime.importable import check_importable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["on_worker"]

T = TypeVar("T")


def on_worker(fn: Callable[..., T], *arguments: Any, threads: int) -> T:  # noqa: ANN401 - any
    """The value of ``fn(*arguments)``, computed by a Ray task that owns `threads` CPUs.

    Large arguments may be Ray object references.

    Raises:
        ConfigError: `fn` is of no module that workers can import.
        MlopsRayError: What `fn` raised on purpose, as if it had run here.
    """
    check_importable(fn)
    task = ray.remote(_pinned).options(num_cpus=threads, max_retries=2)
    try:
        value: T = ray.get(task.remote(fn, threads, *arguments))
    except RayTaskError as error:
        if isinstance(error.cause, MlopsRayError):
            raise error.cause from None
        raise
    return value


def _pinned(fn: Callable[..., T], threads: int, *arguments: Any) -> T:  # noqa: ANN401 - any
    with threadpool_limits(limits=threads):
        return fn(*arguments)
