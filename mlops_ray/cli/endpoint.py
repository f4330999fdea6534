"""`mlops-ray serve`, `deploy`, `undeploy`, `status`: a version as an HTTP endpoint."""

from __future__ import annotations

import shlex
import signal
from typing import Annotated

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import (
    AsJson,
    ModelRef,
    NumCpus,
    OnDifference,
    Port,
    RegistryOption,
    RunningCluster,
    StoreOption,
)
from mlops_ray.cli.output import emit_json, say, show_table, warn_of_differences

__all__ = ["deploy", "serve", "status", "undeploy"]

Host = Annotated[str, typer.Option("--host", help="Interface to listen on.")]


def serve(
    model: ModelRef,
    port: Port = 8000,
    host: Host = "127.0.0.1",
    num_cpus: NumCpus = None,
    on_difference: OnDifference = None,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Serve a version in the foreground until Ctrl-C.

    It runs on a local Ray cluster of its own.
    """
    # Before the first import of Ray, so that a refusal takes no time.
    mlops_ray.Records(store=store, registry=registry).check_environment(
        model, on_difference=on_difference
    )
    project = mlops_ray.Project(store=store, registry=registry)
    with project.serving(
        model, host=host, port=port, num_cpus=num_cpus, on_difference=on_difference
    ) as endpoint:
        _announce(endpoint, as_json=as_json)
        say("Ctrl-C stops it")
        try:
            signal.pause()
        except KeyboardInterrupt:
            say("stopping")
    return OK


def deploy(
    model: ModelRef,
    port: Port = 8000,
    host: Host = "127.0.0.1",
    address: RunningCluster = None,
    on_difference: OnDifference = None,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Put a version on a running cluster and leave it there.

    The store must be a folder that the cluster's nodes can read.
    """
    # Before the first import of Ray, so that a refusal takes no time.
    mlops_ray.Records(store=store, registry=registry).check_environment(
        model, on_difference=on_difference
    )
    project = mlops_ray.Project(store=store, registry=registry)
    endpoint = project.deploy(
        model, address=address, host=host, port=port, on_difference=on_difference
    )
    _announce(endpoint, as_json=as_json)
    return OK


def undeploy(address: RunningCluster = None, as_json: AsJson = False) -> int:
    """Take the endpoint off a running cluster."""
    name = mlops_ray.Project().undeploy(address=address)
    if as_json:
        emit_json("undeploy", {"removed": name})
    else:
        print(name or "nothing was deployed")  # noqa: T201 - the result
    return OK


def status(address: RunningCluster = None, as_json: AsJson = False) -> int:
    """Show what a running cluster serves."""
    found = mlops_ray.Project().endpoint_status(address=address)
    if as_json:
        emit_json("status", found)
    else:
        show_table(["field", "value"], list(found.items()))
    return OK


def _announce(endpoint: mlops_ray.Endpoint, *, as_json: bool) -> None:
    warn_of_differences(endpoint.differences)
    if as_json:
        emit_json("endpoint", endpoint.to_json())
        return
    print(endpoint.url)  # noqa: T201 - the result
    say(f"{endpoint.model}@{endpoint.version} answers at {endpoint.url}")
    say("try:")
    say(
        f"  curl -s -i {endpoint.url}/predict/{endpoint.model} "
        f"-H 'content-type: application/json' -d {shlex.quote(endpoint.example)}"
    )
