"""`mlops-ray monitor ...`: is the world still the one the model was trained on?"""

from __future__ import annotations

from typing import Annotated

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import (
    Address,
    AsJson,
    ModelRef,
    NumCpus,
    RegistryOption,
    StoreOption,
)
from mlops_ray.cli.output import emit_json, say, show_table

__all__ = ["app"]

app = typer.Typer(
    help="Compare live data with the profile in a model's manifest.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keep `check` a subcommand while it is the only one."""


@app.command("check")
def check(
    model: ModelRef,
    data: Annotated[str, typer.Argument(help="File, folder or glob of Parquet or CSV.")],
    num_cpus: NumCpus = None,
    address: Address = None,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Compare a table's feature columns with those of the training rows.

    Ends with 0 when nothing drifted, 4 when something did or could not be judged.
    """
    project = mlops_ray.Project(store=store, registry=registry)
    report = project.check_drift(model, data, num_cpus=num_cpus, address=address)
    if as_json:
        emit_json("drift", report.to_json())
    else:
        show_table(
            ["column", "verdict", "psi", "p_adjusted", "rows", "reason"],
            [
                [c.column, c.verdict, _number(c.psi), _number(c.p_adjusted), c.n_live, c.reason]
                for c in report.columns
            ],
        )
        say(f"verdict: {report.verdict}")
    return OK if report.verdict == "PASS" else LOOKED_AND_FOUND


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
