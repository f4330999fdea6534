"""Endpoints on Ray Serve: start or update one, look at it, take it down.

The caller is connected to a cluster already. A cluster holds one application of ours; deploying
another version of the same model updates it replica by replica, without a gap.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from mlops_ray.errors import ConflictError, NotFoundError, ServeError
from mlops_ray.serve import ingress
from mlops_ray.serve.app import Limits
from mlops_ray.serve.identity import Endpoint
from mlops_ray.serve.port import check_port, free_port
from mlops_ray.serve.probe import await_answer
from mlops_ray.serve.replica import EndpointReplica, load_checked
from mlops_ray.serve.settings import LOGGING, deployment_options

if TYPE_CHECKING:
    from ray.serve.schema import ApplicationStatusOverview

    from mlops_ray.config import ServeConfig
    from mlops_ray.runtime.admission import Admission
    from mlops_ray.serve.identity import Identity
    from mlops_ray.storage import ObjectStore

__all__ = ["EndpointStatus", "check_deployable", "endpoint_status", "start_endpoint", "undeploy"]

_PREFIX: Final = "mlops-ray."
_DEPLOYMENT: Final = "predict"
_POLL_S: Final = 0.2
_ASK_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What Ray Serve knows of our application on a cluster.

    Attributes:
        model: Name of the model.
        status: Ray Serve's word for it: ``RUNNING``, ``DEPLOYING``, ``UNHEALTHY``, ...
        message: Why it is not running; empty where it is.
        replicas: State of a replica -> how many are in it.
        endpoint: What a replica says it serves; None where none answers.
    """

    model: str
    status: str
    message: str
    replicas: dict[str, int]
    endpoint: Endpoint | None


def check_deployable(
    model: str, bundle: str, store: ObjectStore, admission: Admission
) -> EndpointStatus | None:
    """Make sure, before anything is started or recorded, that a version may be deployed.

    Returns:
        The endpoint of this model that would be updated; None where there is none.

    Raises:
        NotPermittedError: The environment is another one, and the policy is to refuse.
        ConflictError: The cluster serves another model.
        DigestMismatchError: The bundle is missing or damaged.
        UnstableModelError: The model's answers depend on the rows around them.
    """
    load_checked(store, bundle, admission)
    current = endpoint_status()
    if current and current.model != model:
        raise ConflictError(
            f"this cluster serves {current.model!r}",
            wanted=repr(model),
            hint="`mlops-ray undeploy` takes it down; or use another cluster",
        )
    return current


def start_endpoint(
    identity: Identity,
    store: ObjectStore,
    config: ServeConfig,
    admission: Admission,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    timeout_s: float = 180.0,
) -> Endpoint:
    """Deploy a model version and return once it answers.

    Args:
        identity: The version; its bundle is checked here first and again in every replica.
        store: Holds the bundle; reachable from every node.
        config: The ``serve`` section of the pipeline file.
        admission: What the environment has to be like, here and where a replica runs.
        host: Where the proxies listen, if Ray Serve does not run yet on this cluster.
        port: Their port; 0 picks a free one. A cluster that has an endpoint of ours keeps its port.
        timeout_s: How long the replicas may take to come up.

    Raises:
        ConflictError: The cluster serves another model.
        PortInUseError: Another process listens on the port.
        NotPermittedError: The environment is another one, and the policy is to refuse.
        DigestMismatchError: The bundle is missing or damaged.
        UnstableModelError: The model's answers depend on the rows around them.
        ServeError: The replicas do not come up, or do not answer.
    """
    current = check_deployable(identity.model, identity.bundle, store, admission)
    url = current.endpoint.url if current and current.endpoint else _start(config, host, port)
    endpoint = Endpoint(url, identity)
    limits = Limits(timeout_s=config.timeout_s, max_body_bytes=config.max_body_bytes)
    arguments = (store, endpoint, limits, admission)
    _deploy(arguments, config, time.monotonic() + timeout_s, is_new=current is None)
    if ray.get_runtime_context().get_node_id() in serve.status().proxies:
        await_answer(endpoint, timeout_s=30.0)
    return endpoint


def endpoint_status() -> EndpointStatus | None:
    """Our application on the connected cluster; None where there is none."""
    for name, overview in serve.status().applications.items():
        if name.startswith(_PREFIX) and overview.status != "DELETING":
            return _describe(name, overview)
    return None


def undeploy(model: str) -> None:
    """Take the endpoint of a model down, and Ray Serve too if it then holds nothing.

    Raises:
        NotFoundError: The cluster does not serve this model.
    """
    current = endpoint_status()
    if current is None or current.model != model:
        raise NotFoundError(
            f"this cluster does not serve {model!r}",
            f"{current.model!r}" if current else "nothing",
            hint="mlops-ray status shows what it serves",
        )
    _remove(_PREFIX + model)


def _start(config: ServeConfig, host: str, port: int) -> str:
    """Start Ray Serve's controller and proxies, if they do not run; returns the URL."""
    if not serve.status().proxies:
        port = port or free_port(host)
        check_port(port, host)
        serve.start(
            proxy_location="EveryNode",
            http_options={"host": host, "port": port},
            logging_config=LOGGING,
            controller_options={
                "runtime_env": {"env_vars": ingress.environment(config.max_body_bytes)}
            },
        )
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _deploy(
    arguments: tuple[ObjectStore, Endpoint, Limits, Admission],
    config: ServeConfig,
    deadline: float,
    *,
    is_new: bool,
) -> None:
    model = arguments[1].identity.model
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    options = deployment_options(config, resources.get("CPU", 1.0))
    replica: Any = serve.deployment(name=_DEPLOYMENT, **options)(serve.ingress()(EndpointReplica))
    application = replica.bind(*arguments)
    name = _PREFIX + model
    try:
        serve.run_many(
            [serve.RunTarget(application, name=name)], wait_for_applications_running=False
        )
        _await_running(name, deadline)
    except (RayServeException, RayError, RuntimeError, ValueError) as error:
        raise ServeError(f"{model} cannot be deployed", _last(error)) from error
    except ServeError:
        if is_new:
            _remove(name)
        raise


def _remove(name: str) -> None:
    serve.delete(name)
    if not serve.status().applications:
        serve.shutdown()  # type: ignore[no-untyped-call]


def _await_running(name: str, deadline: float) -> None:
    while True:
        overview = serve.status().applications.get(name)
        if overview is None:
            raise ServeError("somebody took the endpoint down while it came up")
        if overview.status == "RUNNING":
            return
        if overview.status == "DEPLOY_FAILED":
            raise ServeError("no replica came up", _reason(overview))
        if time.monotonic() > deadline:
            raise ServeError(
                "the replicas did not come up in time",
                f"{overview.status} ({_reason(overview)})",
                hint="mlops-ray doctor shows what CPUs and memory are free",
            )
        time.sleep(_POLL_S)


def _describe(name: str, overview: ApplicationStatusOverview) -> EndpointStatus:
    deployment = overview.deployments.get(_DEPLOYMENT)
    states = deployment.replica_states if deployment else {}
    replicas = {str(getattr(state, "value", state)): n for state, n in states.items()}
    endpoint = _ask(name) if replicas.get("RUNNING") else None
    status = str(getattr(overview.status, "value", overview.status))
    reason = "" if status == "RUNNING" else _reason(overview)
    return EndpointStatus(name.removeprefix(_PREFIX), status, reason, replicas, endpoint)


def _ask(name: str) -> Endpoint | None:
    try:
        response: Any = serve.get_app_handle(name).identify.remote()
        endpoint = response.result(timeout_s=_ASK_TIMEOUT_S)
    except (RayServeException, RayError, TimeoutError):
        return None
    return endpoint if isinstance(endpoint, Endpoint) else None


def _reason(overview: ApplicationStatusOverview) -> str:
    messages = [d.message for d in overview.deployments.values() if d.message]
    return _last(messages[0] if messages else overview.message)


def _last(message: object) -> str:
    """The last line: of a traceback, the one that says what happened."""
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
