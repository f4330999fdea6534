"""Collects the circumstances of a run while it runs, and writes them as its envelope."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.manifest import Envelope, ErrorFacts, StageFacts, State
from mlops_ray.pipeline.records import actor
from mlops_ray.runtime.environment import git_facts, platform_facts

if TYPE_CHECKING:
    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.manifest import Spec
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.runtime.cluster import Cluster

__all__ = ["Circumstances"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Circumstances:
    """What will stand in the envelope.

    Attributes:
        run_id: Id of the run.
        loaded: The pipeline file, for the origin of every value.
        root: Project root, for the git facts.
        stages: Filled by the stages as they end.
        cluster: Size of the cluster, and whose it is; no address.
        ray_start_s: Seconds that Ray took to start.
        peak_pss_bytes: Most memory of the process tree; None where it cannot be measured.
        result_id: Digest of the result, once there is one.
    """

    run_id: str
    loaded: LoadedConfig
    root: Path
    stages: list[StageFacts] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)
    ray_start_s: float = 0.0
    peak_pss_bytes: int | None = None
    result_id: str | None = None
    started_at: str = field(default_factory=_now)
    _started: float = field(default_factory=time.monotonic)

    def cluster_found(self, cluster: Cluster) -> None:
        """Note the cluster that the run works on."""
        self.cluster = {"cpus": cluster.cpus, "nodes": cluster.nodes, "is_own": cluster.is_own}
        self.ray_start_s = cluster.ray_start_s

    def envelope(
        self, spec: Spec, objects: ObjectList, log: str, state: State, error: ErrorFacts | None
    ) -> Envelope:
        """The envelope, at the end of the run."""
        source = self.loaded.config.data.source.path
        return Envelope(
            run_id=self.run_id,
            name=spec.name,
            state=state,
            spec_id=spec.digest,
            result_id=self.result_id,
            actor=actor(),
            trigger="job" if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ else "manual",
            started_at=self.started_at,
            finished_at=_now(),
            origins=self.loaded.origins(),
            # Records hold no absolute path; the inputs are identified by their digests anyway.
            source=Path(source).name if Path(source).is_absolute() else source,
            git=git_facts(self.root) or {},
            platform=platform_facts(),
            cluster=self.cluster,
            stages=self.stages,
            wall_s=round(time.monotonic() - self._started - self.ray_start_s, 3),
            ray_start_s=round(self.ray_start_s, 3),
            peak_pss_bytes=self.peak_pss_bytes,
            error=error,
            log=log,
            objects=objects.facts(),
        )
