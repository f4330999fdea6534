"""Ray Data without its two helpers, on a cluster that was started for one run.

Ray Data keeps two actors beside a dataset: one shows its progress on the dashboard, one negotiates
with the cluster's autoscaler. Each imports Ray Data in a process of its own, on the CPUs that the
first tasks are meant for. A private cluster has no dashboard and never grows, so nobody would hear
from either; there is no public setting that leaves them out.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import ray
from ray.data import ExecutionResources
from ray.data._internal import stats  # noqa: TID251 - no public setting
from ray.data._internal.cluster_autoscaler import ClusterAutoscaler  # noqa: TID251
from ray.data._internal.execution import streaming_executor  # noqa: TID251

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_helpers"]

_TASKS_IN_FLIGHT: Final = 2  # A CPU has the next task by the time it has done one.
_LOCK: Final = threading.Lock()
# Where Ray Data looks up what makes them.
_PLACES: Final = (
    (stats, "get_or_create_stats_actor"),
    (streaming_executor, "create_cluster_autoscaler"),
)
_Makers: TypeAlias = tuple[Any, ...]
_kept: list[_Makers] = []  # What makes the helpers, once for each block that is open.


@contextmanager
def without_helpers() -> Iterator[None]:
    """For the length of a block Ray Data starts no helper; blocks may overlap in threads."""
    with _LOCK:
        _kept.append(_kept[-1] if _kept else _makers())
        _set_makers((_Deaf, _FixedCluster))
    try:
        yield
    finally:
        with _LOCK:
            before = _kept.pop()
            if not _kept:
                _set_makers(before)


def _makers() -> _Makers:
    return tuple(getattr(module, name) for module, name in _PLACES)


def _set_makers(makers: _Makers) -> None:
    for (module, name), maker in zip(_PLACES, makers, strict=True):
        setattr(module, name, maker)


class _Deaf:
    """Stands in for an actor of whose methods no answer is wanted."""

    def __getattr__(self, _name: str) -> _Deaf:
        return self

    def remote(self, *_arguments: Any) -> None:  # noqa: ANN401 - as Ray has it
        """Call the method: nothing happens."""


class _FixedCluster(ClusterAutoscaler):
    """A cluster that stays as it is."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:  # noqa: ANN401 - as Ray has it
        found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        queued = {**found, "CPU": _TASKS_IN_FLIGHT * found.get("CPU", 0)}
        self._resources: ExecutionResources = ExecutionResources.from_resource_dict(queued)

    def try_trigger_scaling(self) -> None:
        """There is nothing to scale."""

    def on_executor_shutdown(self) -> None:
        """There is nothing to give back."""

    def get_total_resources(self) -> ExecutionResources:
        """What the cluster had in the beginning."""
        return self._resources
