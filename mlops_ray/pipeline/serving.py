"""A registered version as an HTTP endpoint, in the foreground or on a running cluster."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_ray.models.bundle import GOLDEN_FILE, load_bundle
from mlops_ray.models.golden import golden_records
from mlops_ray.pipeline.admission import admission_of
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

    from mlops_ray.config.environment import OnDifference
    from mlops_ray.pipeline.run import Run
    from mlops_ray.registry import ModelVersion, Registry
    from mlops_ray.runtime.admission import Admission
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
        differences: How this environment differs from that of the run, ``NAME RECORDED -> HERE``;
            not empty only where the policy lets it.
    """

    url: str
    model: str
    version: int
    run_id: str
    bundle: str
    example: str
    differences: list[str] = field(default_factory=list)

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
    on_difference: OnDifference | None = None,
) -> Iterator[Endpoint]:
    """An endpoint on a local cluster of its own, for the length of a block.

    Raises:
        NotFoundError: There is no such version.
        NotPermittedError: The environment is another one, and the policy is to refuse.
        PortInUseError: Another process listens on the port; found before Ray starts.
        UnstableModelError: The model's answers depend on the rows around them.
    """
    wanted = _wanted(workspace, registry, reference, on_difference)
    port = port or free_port(host)
    check_port(port, host)
    quiet_ray_loggers()
    with connect("local", num_cpus):
        yield _started(workspace, registry, wanted, host, port, actor)


def deploy(
    workspace: Workspace,
    registry: Registry,
    reference: str,
    *,
    address: str | None,
    host: str,
    port: int,
    actor: str,
    on_difference: OnDifference | None = None,
) -> Endpoint:
    """Put a version on a running cluster, replacing an older version of the same model.

    Raises:
        NotFoundError: There is no such version.
        NotPermittedError: The environment is another one, and the policy is to refuse.
        ClusterError: The cluster cannot be reached.
        ConflictError: The cluster serves another model.
    """
    wanted = _wanted(workspace, registry, reference, on_difference)
    quiet_ray_loggers()
    with connect(named_cluster(address)):
        return _started(workspace, registry, wanted, host, port, actor)


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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The version to be served, and what it demands."""

    version: ModelVersion
    run: Run
    admission: Admission
    differences: list[str]


def _wanted(
    workspace: Workspace, registry: Registry, reference: str, on_difference: OnDifference | None
) -> _Wanted:
    """Look a version up and refuse the environment of this process before Ray is started."""
    version = registry.resolve(reference)
    run = run_of_version(workspace, version)
    admission = admission_of(run, on_difference)
    differences = [str(item) for item in admission.check().relevant]
    return _Wanted(version, run, admission, differences)


def _started(
    workspace: Workspace, registry: Registry, wanted: _Wanted, host: str, port: int, actor: str
) -> Endpoint:
    version, config, store = wanted.version, wanted.run.spec.serve, workspace.store
    # What is refused must not stand in the history as deployed.
    check_deployable(version.model, version.bundle, store, wanted.admission)
    generation = registry.record_deployment(version, actor=actor, endpoint=f"port {port}")
    identity = Identity(version.model, version.version, version.run_id, version.bundle, generation)
    started = start_endpoint(identity, store, config, wanted.admission, host=host, port=port)
    golden = golden_records(load_bundle(store, version.bundle).file(GOLDEN_FILE))
    return Endpoint(
        url=started.url,
        model=version.model,
        version=version.version,
        run_id=version.run_id,
        bundle=version.bundle,
        example=json.dumps(golden[0], ensure_ascii=False),
        differences=wanted.differences,
    )
