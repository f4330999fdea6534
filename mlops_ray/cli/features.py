"""`mlops-ray features ...`: feature sets, and tables of the declared features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mlops_ray
from mlops_ray.cli import feature_sets
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import (
    Address,
    AsJson,
    ConfigPath,
    NoCache,
    NumCpus,
    Overrides,
    StoreOption,
)
from mlops_ray.cli.output import emit_json, say

__all__ = ["app"]

app = typer.Typer(help="Feature sets and feature tables.", no_args_is_help=True)
app.command("ls")(feature_sets.ls)
app.command("show")(feature_sets.show)
app.command("diff")(feature_sets.diff)
app.command("test")(feature_sets.check)
app.command("register")(feature_sets.register)


@app.command("build")
def build(  # noqa: PLR0913, PLR0917 - one parameter an option
    config: ConfigPath,
    out: Annotated[Path, typer.Option("--out", help="Folder to make.", show_default=False)],
    overrides: Overrides = None,
    no_cache: NoCache = False,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Write indices and values without zeros.")
    ] = False,
    num_cpus: NumCpus = None,
    address: Address = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Fit the declared features and write every row transformed, as Parquet files.

    Runs the stages up to the profile as `run` does and shares their cache with it.
    """
    pipeline = mlops_ray.Pipeline(config, overrides=overrides or (), store=store)
    table = pipeline.build_features(
        out,
        num_cpus=num_cpus,
        address=address,
        progress=mlops_ray.terminal_progress(is_plain=as_json),
        no_cache=no_cache,
        sparse=sparse,
    )
    content = table.to_json()
    if as_json:
        emit_json("features_build", content)
        return OK
    say(f"{content['rows']} rows, {content['columns']} columns, {content['files']} files")
    say(f"fingerprint {content['fingerprint']}")
    print(table.path)  # noqa: T201 - the result
    return OK
