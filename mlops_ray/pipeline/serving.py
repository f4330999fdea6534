"""A registered version as an HTTP endpoint, in the foreground or on a running cluster."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlops_ray.models.bundle import GOLDEN_FILE, load_bundle
from mlops_ray.models.golden import golden_records
from mlops_ray.pipeline.run import run_of_version
from mlops_ray.runtime.cluster import connect, named_cluster
from mlops_ray.serve.deployment import (
    check_deployable,
    endpoint_status,
    start_endpoint,
    undeploy,
)
from mlops_ray.serve.identity import Identity
from mlops_ray.serve.port import check_port, free_port
from mlops_ray.telemetry import quiet_ray_loggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config import ServeConfig
    from mlops_ray.registry import ModelVersion, Registry
    from mlops_ray.storage import Workspace

__all__ = ["Endpoint", "deploy", "serving", "status", "take_down"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a version answers.

    Attributes:
        url: Scheme, host and port.
        model: Name of the model.
        version: Its version.
        run_id: Run that made it.
        bundle: Digest of its bundle.
        example: A record it answers, as JSON.
    """

    url: str
    model: str
    version: int
    run_id: str
    bundle: str
    example: str

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/endpoint/v1``."""
        return asdict(self)


@contextmanager
def serving(
    workspace: Workspace,
    registry: Registry,
    reference: str,
    *,
    host: str,
    port: int,
    num_cpus: int | None,
    actor: str,
) -> Iterator[Endpoint]:
    """An endpoint on a local cluster of its own, for the length of a block.

    Raises:
        NotFoundError: There is no such version.
        PortInUseError: Another process listens on the port; found before Ray starts.
        UnstableModelError: The model's answers depend on the rows around them.
    """
    version = registry.resolve(reference)
    port = port or free_port(host)
    check_port(port, host)
    quiet_ray_loggers()
    with connect("local", num_cpus):
        yield _started(workspace, registry, version, host, port, actor)


def deploy(
    workspace: Workspace,
    registry: Registry,
    reference: str,
    *,
    address: str | None,
    host: str,
    port: int,
    actor: str,
) -> Endpoint:
    """Put a version on a running cluster, replacing an older version of the same model.

    Raises:
        NotFoundError: There is no such version.
        ClusterError: The cluster cannot be reached.
        ConflictError: The cluster serves another model.
    """
    version = registry.resolve(reference)
    quiet_ray_loggers()
    with connect(named_cluster(address)):
        return _started(workspace, registry, version, host, port, actor)


def status(address: str | None) -> dict[str, Any]:
    """What a running cluster serves; the content of ``mlops-ray/status/v1``."""
    quiet_ray_loggers()
    with connect(named_cluster(address)):
        found = endpoint_status()
    if found is None:
        return {"model": None, "status": "NOTHING_DEPLOYED"}
    return asdict(found)


def take_down(address: str | None) -> str | None:
    """Take the endpoint off a running cluster; returns the model's name, None if none was there."""
    quiet_ray_loggers()
    with connect(named_cluster(address)):
        found = endpoint_status()
        if found is None:
            return None
        undeploy(found.model)
        return found.model


def _started(
    workspace: Workspace,
    registry: Registry,
    version: ModelVersion,
    host: str,
    port: int,
    actor: str,
) -> Endpoint:
    run = run_of_version(workspace, version)
    config: ServeConfig = run.spec.serve
    # What is refused must not stand in the history as deployed.
    check_deployable(version.model, version.bundle, workspace.store_root)
    generation = registry.record_deployment(version, actor=actor, endpoint=f"port {port}")
    identity = Identity(version.model, version.version, version.run_id, version.bundle, generation)
    started = start_endpoint(identity, workspace.store_root, config, host=host, port=port)
    golden = golden_records(load_bundle(workspace.store, version.bundle).file(GOLDEN_FILE))
    return Endpoint(
        url=started.url,
        model=version.model,
        version=version.version,
        run_id=version.run_id,
        bundle=version.bundle,
        example=json.dumps(golden[0], ensure_ascii=False),
    )
