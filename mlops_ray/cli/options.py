"""Options that several commands share, so that one name means one thing everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = [
    "Address",
    "AsJson",
    "ConfigPath",
    "FromStage",
    "ModelRef",
    "NoCache",
    "NumCpus",
    "OnDifference",
    "Overrides",
    "Port",
    "RegistryOption",
    "RunName",
    "RunningCluster",
    "StoreOption",
]

ConfigPath = Annotated[Path, typer.Argument(help="Pipeline file (YAML).", show_default=False)]
RunName = Annotated[
    str, typer.Argument(help="Run id, its beginning, or 'latest'.", show_default=False)
]
ModelRef = Annotated[
    str,
    typer.Argument(
        help="MODEL@ALIAS, MODEL@VERSION, or MODEL for MODEL@champion.", show_default=False
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", help="Folder, or s3://bucket/prefix, of runs and objects [env: MLOPS_RAY_STORE]."
    ),
]
RegistryOption = Annotated[
    str | None,
    typer.Option("--registry", help="Path or SQLAlchemy URL [env: MLOPS_RAY_REGISTRY]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line on stdout.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the pipeline file."),
]
NumCpus = Annotated[
    int | None,
    typer.Option("--num-cpus", min=1, help="CPUs of the local cluster; never changes a result."),
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="Ray cluster to join [env: RAY_ADDRESS]; else a local one."),
]
RunningCluster = Annotated[
    str | None,
    typer.Option("--address", help="Running cluster, HOST:PORT or auto [env: RAY_ADDRESS]."),
]
OnDifference = Annotated[
    Literal["refuse", "warn", "allow"] | None,
    typer.Option(
        "--on-difference",
        help="What to do where packages or CPU class are not those of the run; warn needs equal "
        "golden answers, allow near ones [default: environment.on_difference of the run].",
        show_default=False,
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 picks a free one.")]
FromStage = Annotated[
    str | None,
    typer.Option("--from-stage", help="Compute this stage and all after it, whatever is stored."),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Compute every stage, reuse none.")]
