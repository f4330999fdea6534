"""The Ray cluster of a run, started or joined when the first stage needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.telemetry import quiet_ray_loggers

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from mlops_ray.runtime.cluster import Cluster
    from mlops_ray.telemetry import Progress

__all__ = ["Placement", "Workers"]

# What the first tasks on units need: a second of work that otherwise begins when they do.
_OF_UNITS: Final = (
    "mlops_ray.data.ray_map",
    "mlops_ray.data.scan",
    "mlops_ray.features.table_output",
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a run does its work; nothing here may change its result.

    Attributes:
        num_cpus: CPUs of a local cluster; all by default.
        address: Cluster to join; None for ``RAY_ADDRESS`` or a local one.
        in_process_below_bytes: Inputs smaller than this are read without Ray Data.
    """

    num_cpus: int | None
    address: str | None
    in_process_below_bytes: int


@dataclass(slots=True)
class Workers:
    """Connects to Ray at most once; a run whose stages are all reused never does.

    Attributes:
        placement: Where.
        size_bytes: Size of the input.
        threads: Threads of one fit.
        code: Folder of the captured code that the workers run.
        cleanup: Ends the connection.
        progress: Is told that Ray starts.
        n_fitting: Workers that fit one model together.
        on_joined: Is called with a cluster that was joined, before anything runs there.
        cluster: The cluster, once it was needed.
    """

    placement: Placement
    size_bytes: int
    threads: int
    code: Path | None
    cleanup: ExitStack
    progress: Progress
    n_fitting: int = 1
    on_joined: Callable[[Cluster], None] | None = None
    cluster: Cluster | None = None

    @property
    def is_small(self) -> bool:
        """Whether the input is read in this process rather than by Ray Data."""
        return self.size_bytes < self.placement.in_process_below_bytes

    @property
    def num_cpus(self) -> int | None:
        """Most CPUs to use in this process; all by default."""
        return self.placement.num_cpus

    @property
    def ray_start_s(self) -> float:
        """Seconds that starting or joining Ray took; 0 before."""
        return self.cluster.ray_start_s if self.cluster else 0.0

    @property
    def is_private(self) -> bool:
        """Whether the cluster was started for this run alone; False before there is one."""
        return self.cluster is not None and self.cluster.is_own

    def connect(self) -> None:
        """Start or join Ray, unless that is done.

        Raises:
            ClusterError: It cannot be started or reached.
            ResourceError: One fit needs more threads than any node has CPUs.
        """
        if self.cluster is not None:
            return
        from mlops_ray.runtime.cluster import connect, cpus_of_nodes  # noqa: PLC0415 - imports Ray
        from mlops_ray.runtime.resources import check_threads, check_workers  # noqa: PLC0415

        self.progress.note("starting Ray")
        quiet_ray_loggers()
        placement, preload = self.placement, () if self.is_small else _OF_UNITS
        self.cluster = self.cleanup.enter_context(
            connect(placement.address, placement.num_cpus, self.code, preload)
        )
        check_threads(self.threads, int(max(cpus_of_nodes(), default=0)))
        check_workers(self.n_fitting, self.threads, self.cluster.cpus)
        if self.on_joined is not None and self.cluster.is_joined_here:
            self.on_joined(self.cluster)
