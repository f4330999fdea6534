"""`mlops-ray reproduce`: a recorded run executed again, and compared."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import Address, AsJson, NumCpus, RunName, StoreOption
from mlops_ray.cli.output import emit_json, say
from mlops_ray.errors import ConfigError

__all__ = ["reproduce"]


class _Environment(StrEnum):
    CURRENT = "current"
    BUILD = "build"


def _environment(
    environment: _Environment, image: str | None, *, may_differ: bool
) -> Literal["current", "build"] | mlops_ray.ContainerImage:
    if image is None and not may_differ:
        return environment.value
    if image is None or environment is _Environment.BUILD:
        raise ConfigError(
            "these options say two things about the environment"
            if image
            else "--other-image says nothing without an image",
            wanted="--env build, or --image REF with or without --other-image",
        )
    return mlops_ray.ContainerImage(image, may_differ)


def reproduce(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: RunName,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="Where inputs lie that were too large to be copied: file, folder, glob."
        ),
    ] = None,
    environment: Annotated[
        _Environment,
        typer.Option("--env", help="This environment, or one built from the recorded lock."),
    ] = _Environment.CURRENT,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Container image to execute it in: `recorded`, or a name. Needs podman or docker.",
        ),
    ] = None,
    other_image: Annotated[
        bool,
        typer.Option("--other-image", help="The image may have another digest than the recorded."),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Largest relative difference of a metric for EQUIVALENT [default: the run's].",
        ),
    ] = None,
    num_cpus: NumCpus = None,
    address: Address = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Execute a run again from its record alone, and compare.

    The recorded code runs, in a folder and a store of its own; nothing is registered.

    Ends with 0 for IDENTICAL and EQUIVALENT, 4 for DIFFERENT or a damaged record.
    """
    chosen = _environment(environment, image, may_differ=other_image)
    if chosen == "build":
        say("building the recorded environment with pip; this takes minutes")
    found = mlops_ray.Records(store=store).reproduce(
        run,
        data=data,
        environment=chosen,
        tolerance=tolerance,
        num_cpus=num_cpus,
        address=address,
    )
    if as_json:
        emit_json("reproduce", found.to_json())
    else:
        _describe(found)
    return LOOKED_AND_FOUND if found.verdict == "DIFFERENT" else OK


def _describe(found: Any) -> None:  # noqa: ANN401 - mlops_ray's Reproduction, which is lazy
    """Say on stderr how it went; the verdict alone goes to stdout."""
    say("")
    say(f"run        {found.run_id}")
    say(f"executed   {found.executed} of {found.of} stages")
    say(f"recorded   {found.expected}")
    say(f"got        {found.got}")
    first = found.first_difference
    if first is not None:
        say(f"first      stage {first.stage}, {first.output}: {first.got}, was {first.expected}")
    for decision in found.applied:
        say(f"applied    {decision}")
    for difference in found.environment:
        say(f"here       {difference}")
    if found.cause:
        say(f"cause      {found.cause}")
    print(found.verdict)  # noqa: T201 - the result
