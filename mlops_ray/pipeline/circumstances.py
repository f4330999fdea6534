"""Collects the circumstances of a run while it runs, and writes them as its envelope."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.manifest import Envelope, ErrorFacts, StageFacts, State
from mlops_ray.pipeline.records import actor
from mlops_ray.runtime.environment import (
    git_facts,
    image_digest,
    lock_list,
    platform_facts,
    without_credentials,
)

if TYPE_CHECKING:
    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.manifest import InputProtection, Spec
    from mlops_ray.pipeline.objects import ObjectList
    from mlops_ray.runtime.cluster import Cluster

__all__ = ["Circumstances", "as_given"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Circumstances:
    """What will stand in the envelope.

    Attributes:
        run_id: Id of the run.
        loaded: The pipeline file, for the origin of every value.
        root: Project root, for the git facts.
        source: Where the rows come from, as given.
        inputs: What protected each input.
        parent: Run that this one continues.
        read_at: When the inputs were digested.
        stages: Filled by the stages as they end.
        cluster: Size of the cluster, and whose it is; no address.
        ray_job_id: Under which Ray's own logs file the run.
        ray_start_s: Seconds that Ray took to start.
        cpu_s: CPU seconds of the process tree; None where they cannot be measured.
        peak_pss_bytes: Most memory of the process tree; None where it cannot be measured.
        result_id: Digest of the result, once there is one.
    """

    run_id: str
    loaded: LoadedConfig
    root: Path
    source: str = ""
    inputs: list[InputProtection] = field(default_factory=list)
    parent: str | None = None
    read_at: str | None = None
    stages: list[StageFacts] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)
    ray_job_id: str | None = None
    ray_start_s: float = 0.0
    cpu_s: float | None = None
    peak_pss_bytes: int | None = None
    result_id: str | None = None
    started_at: str = field(default_factory=_now)
    _started: float = field(default_factory=time.monotonic)

    @property
    def command(self) -> str:
        """What starts this run again, given in the project's root.

        Values of overrides that may be paths or URLs are left out: no record holds those.
        """
        config = self.loaded.path.absolute()
        place = config.relative_to(self.root) if config.is_relative_to(self.root) else config.name
        overrides = [
            f"{key}={'...' if '/' in value else value}"
            for key, _, value in (text.partition("=") for text in self.loaded.overrides)
        ]
        options = [part for text in overrides for part in ("--set", text)]
        return shlex.join(["mlops-ray", "run", str(place), *options])

    def cluster_found(self, cluster: Cluster) -> None:
        """Note the cluster that the run works on."""
        self.cluster = {"cpus": cluster.cpus, "nodes": cluster.nodes, "is_own": cluster.is_own}
        self.ray_start_s = cluster.ray_start_s
        self.ray_job_id = cluster.job_id or None

    def inputs_read(self) -> None:
        """Note that the inputs have just been digested."""
        self.read_at = _now()

    def _cpu_seconds(self) -> float | None:
        """None on a cluster that was joined, whose workers are not of this process tree."""
        is_whole = bool(self.cluster.get("is_own", True))
        return round(self.cpu_s, 1) if self.cpu_s is not None and is_whole else None

    def envelope(
        self, spec: Spec, objects: ObjectList, log: str, state: State, error: ErrorFacts | None
    ) -> Envelope:
        """The envelope, at the end of the run."""
        return Envelope(
            run_id=self.run_id,
            name=spec.name,
            state=state,
            spec_id=spec.digest,
            result_id=self.result_id,
            actor=actor(),
            trigger="job" if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ else "manual",
            parent=self.parent,
            started_at=self.started_at,
            finished_at=_now(),
            origins=self.loaded.origins(),
            source=as_given(self.source),
            inputs=self.inputs,
            read_at=self.read_at,
            git=git_facts(self.root) or {},
            platform=platform_facts(),
            lock=objects.put("lock", lock_list(self.root).encode()),
            image_digest=image_digest(),
            cluster=self.cluster,
            ray_job_id=self.ray_job_id,
            stages=self.stages,
            wall_s=round(time.monotonic() - self._started - self.ray_start_s, 3),
            ray_start_s=round(self.ray_start_s, 3),
            cpu_seconds=self._cpu_seconds(),
            peak_pss_bytes=self.peak_pss_bytes,
            error=error,
            log=log,
            objects=objects.facts(),
        )


def as_given(source: str) -> str:
    """Records hold no password, and of an absolute path the name alone: digests tell the rest."""
    return Path(source).name if Path(source).is_absolute() else without_credentials(source)
