"""The one place that starts or joins Ray.

Without an address a private cluster is started on this machine: it is protected by a token (Ray
listens on all interfaces) and ends with the block. Another cluster on the machine is neither joined
nor stopped. With an address, or with ``RAY_ADDRESS`` set, that cluster is joined, and the
code of this package is shipped to its workers. A process that has called `ray.init` itself (a
notebook, a test session) keeps its cluster.

Call `connect` from the main thread: the kernel kills Ray's local processes when the thread that
started them ends (this is also what leaves no process behind after ``kill -9``).
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import sys
import time
from contextlib import ExitStack, chdir, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ray

from mlops_ray.errors import ClusterError, ConfigError
from mlops_ray.runtime.address import await_address, check_form
from mlops_ray.runtime.auth_token import token_variables
from mlops_ray.runtime.code_bundle import build_code_bundle, import_paths
from mlops_ray.runtime.head_watch import watched_head
from mlops_ray.runtime.meanwhile import imported_meanwhile
from mlops_ray.runtime.ray_settings import (
    scoped_environment,
    set_ray_defaults,
    worker_environment,
)
from mlops_ray.runtime.ray_signals import interrupts_here_only, own_sigterm_handler
from mlops_ray.runtime.resources import object_store_bytes
from mlops_ray.runtime.session_folder import session_folder
from mlops_ray.runtime.shipping import shipped_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Cluster", "connect", "named_cluster"]

_ADDRESS_VARIABLE: Final = "RAY_ADDRESS"
_PRELOAD_VARIABLE: Final = "RAY_preload_python_modules"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connected Ray cluster.

    Attributes:
        address: ``host:port`` of its control store.
        cpus: CPUs of all nodes that are alive.
        nodes: Nodes that are alive.
        is_own: Whether it was started here and ends with the block.
        ray_start_s: Seconds that starting or joining took; 0 where Ray was connected already.
        job_id: Under which Ray's own logs file what this process does.
        session: Name of the cluster's session, which no other cluster has.
        is_joined_here: Whether this connection ends with the block, and all that it started.
    """

    address: str
    cpus: int
    nodes: int
    is_own: bool
    ray_start_s: float
    job_id: str = ""
    session: str = ""
    is_joined_here: bool = False


@contextmanager
def connect(
    address: str | None = None,
    num_cpus: int | None = None,
    code: Path | None = None,
    preload: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Connect this process to Ray for the length of a block.

    Args:
        address: ``host:port``; ``local`` starts a private cluster even where ``RAY_ADDRESS`` is
            set; ``auto`` joins that one, else any that runs on this machine. By default
            ``RAY_ADDRESS``, else ``local``.
        num_cpus: CPUs of a private cluster; by default those of the machine. Ignored where this
            process is connected already.
        code: Extracted bundle that the workers import from, before all that is installed or lies
            in the working folder; by default a joined cluster gets this package, and a private one
            imports what this process could. Ignored where this process is connected already.
        preload: Modules that this process and the workers of a private cluster import meanwhile.

    Raises:
        ClusterError: Ray cannot be started, or the address not be reached in bounded time.
        ConfigError: The address is of a kind that cannot be joined, or `num_cpus` is given for a
            cluster that runs already.
    """
    if ray.is_initialized():
        _check_same_cluster(address)
        yield _describe(is_own=False, is_joined_here=False, ray_start_s=0.0)
        return
    set_ray_defaults()
    named = None if address == "auto" else address
    target = named or os.environ.get(_ADDRESS_VARIABLE) or address or "local"
    with ExitStack() as cleanup:
        started = time.monotonic()
        workers = {_PRELOAD_VARIABLE: ",".join(preload) or None}
        with imported_meanwhile(preload), scoped_environment(workers):
            if target == "local":
                _start(num_cpus, code, cleanup)
            else:
                _join(target, num_cpus, code, cleanup)
        is_own, ray_start_s = target == "local", time.monotonic() - started
        yield _describe(is_own=is_own, is_joined_here=not is_own, ray_start_s=ray_start_s)


def named_cluster(address: str | None) -> str:
    """The running cluster that is meant, for `connect`; none is joined unasked.

    Args:
        address: What the caller gave; else ``RAY_ADDRESS``, else the cluster that this process is
            connected to.

    Raises:
        ConfigError: None of them names one.
    """
    if ray.is_initialized():
        return address or "auto"
    named = address or os.environ.get(_ADDRESS_VARIABLE)
    if not named or named == "local":
        raise ConfigError(
            "this command works on a running cluster, and none is named",
            wanted="--address HOST:PORT, or RAY_ADDRESS",
            hint="--address auto takes one that runs on this machine; "
            "`mlops-ray serve` needs no cluster",
        )
    return named


def _start(num_cpus: int | None, code: Path | None, cleanup: ExitStack) -> None:
    folder = cleanup.enter_context(session_folder())
    variables = {**worker_environment(), **token_variables(folder), _ADDRESS_VARIABLE: None}
    if code is not None:
        variables["PYTHONPATH"] = _before_installed(code)
        if "RAY_TMPDIR" in os.environ:  # Ray starts in another folder.
            variables["RAY_TMPDIR"] = os.path.abspath(os.environ["RAY_TMPDIR"])  # noqa: PTH100
    cleanup.enter_context(scoped_environment(variables))
    cleanup.callback(ray.shutdown)
    options: dict[str, Any] = {
        "num_cpus": num_cpus,
        "object_store_memory": object_store_bytes(),
        "include_dashboard": False,
        # Who sets RAY_TMPDIR wants sessions and their logs to lie there and to stay.
        "_temp_dir": None if os.environ.get("RAY_TMPDIR") else str(folder),
    }
    interpreter = shlex.quote(sys.executable)
    if interpreter != sys.executable:  # Ray hands it to a shell as it is.
        options["runtime_env"] = {"py_executable": interpreter}
    # Ray puts the folder in which it is started first on its workers' path, before PYTHONPATH.
    with chdir(code) if code is not None else nullcontext():
        _initialise(
            "a local Ray cluster cannot be started",
            "'mlops-ray doctor' checks memory, disk and shared memory",
            address="local",
            **options,
        )


def _before_installed(code: Path) -> str:
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*import_paths(code), *([before] if before else [])])


def _join(address: str, num_cpus: int | None, code: Path | None, cleanup: ExitStack) -> None:
    if address != "auto":
        check_form(address)
    if num_cpus is not None:
        raise ConfigError(
            "the number of CPUs belongs to a cluster started here",
            f"num_cpus = {num_cpus} with the running cluster {address}",
            hint=f"leave out --num-cpus, or --address and {_ADDRESS_VARIABLE}",
        )
    await_address(address)
    if code is None:
        code = build_code_bundle(cleanup.enter_context(session_folder()))
    cleanup.callback(ray.shutdown)
    _initialise(
        f"the Ray cluster at {address} cannot be joined",
        "if it needs a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH",
        address=address,
        runtime_env=_runtime_env(code),
    )
    cleanup.enter_context(watched_head(ray.get_runtime_context().gcs_address, _node_here()))


def _node_here() -> str | None:
    """Unix socket of the node that this process is connected through."""
    here = ray.get_runtime_context().get_node_id()
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return next((node["RayletSocketName"] for node in nodes if node["NodeID"] == here), None)


def _initialise(failure: str, hint: str, **options: Any) -> None:  # noqa: ANN401 - Ray's keywords
    # Worker output must not reach stdout, which belongs to the one line of --json.
    try:
        with own_sigterm_handler(), interrupts_here_only():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # Ray raises the bare class where a node is slow to start.
        raise ClusterError(failure, re.split(r"\n|\. ", str(error))[0], hint=hint) from error


def _runtime_env(code: Path) -> dict[str, Any]:
    """What a joined cluster's workers need, less what a submitting job has settled already."""
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")).get("runtime_env") or {}
    settled = job.get("env_vars", {})
    env: dict[str, Any] = {
        "env_vars": {k: v for k, v in worker_environment().items() if k not in settled}
    }
    return env | shipped_code(code, job)


def _check_same_cluster(address: str | None) -> None:
    connected = ray.get_runtime_context().gcs_address
    if address is not None and address not in {"auto", "local", connected}:
        check_form(address)
    if address not in {None, "auto", connected}:
        raise ClusterError(
            "this process is connected to another cluster already",
            connected,
            str(address),
            "leave out the address, or call ray.shutdown() first",
        )


def cpus_of_nodes() -> list[float]:
    """CPUs of each node that is alive; Ray has to be connected."""
    return _of_nodes("CPU")


def gpus_of_nodes() -> list[float]:
    """GPUs of each node that is alive, in the order of `cpus_of_nodes`."""
    return _of_nodes("GPU")


def _of_nodes(resource: str) -> list[float]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [float(node["Resources"].get(resource, 0)) for node in nodes if node["Alive"]]


def free_cpus() -> float:
    """CPUs that nobody holds; Ray has to be connected."""
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return free.get("CPU", 0.0)


def _describe(*, is_own: bool, is_joined_here: bool, ray_start_s: float) -> Cluster:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return Cluster(
        address=ray.get_runtime_context().gcs_address,
        cpus=int(resources.get("CPU", 0)),
        nodes=sum(bool(node["Alive"]) for node in nodes),
        is_own=is_own,
        ray_start_s=ray_start_s,
        job_id=ray.get_runtime_context().get_job_id(),
        session=ray.get_runtime_context().get_session_name(),
        is_joined_here=is_joined_here,
    )
