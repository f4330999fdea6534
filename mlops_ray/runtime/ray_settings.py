"""Environment variables that Ray reads, and why they are set.

A local cluster inherits the driver's environment; a cluster that is joined gets the part that its
workers need through the job's runtime environment. This module imports only the standard library,
so that a command line can call `set_ray_defaults` before anything imports Ray.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["WORKER_VARIABLES", "scoped_environment", "set_ray_defaults", "worker_environment"]

# One thread a worker, because Ray gives tasks of 1 CPU and the driver different pools; and one hash
# seed, because the order of a set of strings must not differ between two workers.
WORKER_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
)
# Threads of a fit wait for each other asleep. By default they spin, for whole time slices where
# something else runs on their CPUs; of a fit on pages on a busy machine that was four fifths of the
# CPU time. No bit depends on it, so no spec names it, and what the user has set stays.
_WAIT_POLICY: Final = ("OMP_WAIT_POLICY", "passive")
# Under `uv run` Ray would upload the whole working directory, data included.
_DRIVER_DEFAULTS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def set_ray_defaults() -> None:
    """Set what Ray reads on import, unless the user has; call it before the first import of Ray."""
    for name, value in _DRIVER_DEFAULTS.items():
        os.environ.setdefault(name, value)


def worker_environment() -> dict[str, str]:
    """What workers are started with: what their results may depend on, and how threads wait."""
    name, policy = _WAIT_POLICY
    return {**WORKER_VARIABLES, name: os.environ.get(name, policy)}


@contextmanager
def scoped_environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set or, where the value is None, remove variables; restore them at the end of the block.

    Example:
        >>> with scoped_environment({"PYTHONHASHSEED": "0"}):
        ...     os.environ["PYTHONHASHSEED"]
        '0'
    """
    before = {name: os.environ.get(name) for name in variables}
    _apply(variables)
    try:
        yield
    finally:
        _apply(before)


def _apply(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
