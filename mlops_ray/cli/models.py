"""`mlops-ray models ...` and `mlops-ray predict`: the registry, and a version at work."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import (
    Address,
    AsJson,
    ModelRef,
    NumCpus,
    OnDifference,
    RegistryOption,
    StoreOption,
)
from mlops_ray.cli.output import emit_json, say, show_table, warn_of_differences

__all__ = ["app", "predict"]

app = typer.Typer(help="List, show and promote model versions.", no_args_is_help=True)


@app.command("ls")
def ls(registry: RegistryOption = None, as_json: AsJson = False) -> int:
    """List models with their versions and aliases."""
    records = mlops_ray.Records(registry=registry)
    versions = records.versions()
    if not versions:
        say(f"no models in {records.workspace.registry}; `mlops-ray run CONFIG` registers one")
    if as_json:
        emit_json("models", {"versions": [asdict(version) for version in versions]})
        return OK
    show_table(
        ["model", "version", "aliases", "run", "bundle"],
        [
            [v.model, v.version, ",".join(v.aliases) or "-", v.run_id, v.bundle[:19]]
            for v in versions
        ],
    )
    return OK


@app.command("show")
def show(model: ModelRef, registry: RegistryOption = None, as_json: AsJson = False) -> int:
    """Show one version: metrics, gates, aliases, and the run that made it."""
    version = mlops_ray.Records(registry=registry).version(model)
    if as_json:
        emit_json("model", asdict(version))
        return OK
    rows = [[key, value] for key, value in asdict(version).items()]
    show_table(["field", "value"], rows)
    return OK


@app.command("register")
def register(
    run: Annotated[str, typer.Argument(help="Run id, its beginning, or 'latest'.")],
    alias: Annotated[str | None, typer.Option(help="Alias that the version gets.")] = None,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Register the bundle of a sealed run; the same bundle again gives the same version."""
    records = mlops_ray.Records(store=store, registry=registry)
    version = records.register(run, alias=alias)
    if as_json:
        emit_json("model", asdict(version))
    else:
        print(f"{version.model}@{version.version}")  # noqa: T201 - the result
    return OK


@app.command("promote")
def promote(
    model: ModelRef,
    alias: Annotated[str, typer.Argument(help="Alias to point at it.")] = "champion",
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Point an alias at a version whose gates passed; the move is an event in the history."""
    promotion = mlops_ray.Records(registry=registry).promote(model, alias)
    if as_json:
        emit_json("promotion", asdict(promotion))
    else:
        move = f"{promotion.previous or 'nothing'} -> {promotion.version}"
        done = "" if promotion.has_moved else " (it was there already)"
        print(f"{promotion.model}@{alias}: {move}{done}")  # noqa: T201 - the result
    return OK


@app.command("history")
def history(
    model: Annotated[str, typer.Argument(help="Model name.")],
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Print every registration and promotion of a model, oldest first."""
    events = mlops_ray.Records(registry=registry).history(model)
    if as_json:
        emit_json("history", {"events": [asdict(event) for event in events]})
        return OK
    show_table(
        ["seq", "at", "actor", "kind", "what"],
        [[e.seq, e.at, e.actor, e.kind, _what(e.body)] for e in events],
    )
    return OK


def _what(body: dict[str, Any]) -> str:
    """The short facts of an event; digests stand in the JSON form."""
    shown = ("version", "alias", "previous", "run_id", "generation")
    return " ".join(f"{name}={body[name]}" for name in shown if body.get(name) is not None)


def predict(  # noqa: PLR0913, PLR0917 - one parameter an option
    model: ModelRef,
    data: Annotated[str, typer.Argument(help="File, folder or glob of Parquet or CSV.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    num_cpus: NumCpus = None,
    address: Address = None,
    on_difference: OnDifference = None,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Predict a table on Ray Data; writes key and outputs.

    The answers are those of the endpoint, bit for bit.
    """
    # Before the first import of Ray, so that a refusal takes no time.
    mlops_ray.Records(store=store, registry=registry).check_environment(
        model, on_difference=on_difference
    )
    project = mlops_ray.Project(store=store, registry=registry)
    written = project.predict(
        model, data, out, num_cpus=num_cpus, address=address, on_difference=on_difference
    )
    warn_of_differences(written.differences)
    if as_json:
        emit_json("predictions", written.to_json())
    else:
        say(f"{written.n_rows} rows by {written.model}@{written.version} in {written.wall_s:.1f} s")
        print(written.path)  # noqa: T201 - the result
    return OK
