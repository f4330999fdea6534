"""`mlops-ray runs ...` and `mlops-ray verify`: the records of what ran."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import mlops_ray
from mlops_ray.cli import transfer, trials
from mlops_ray.cli.diff import diff
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import AsJson, RunName, StoreOption
from mlops_ray.cli.output import emit_json, problems_text, say, show_table
from mlops_ray.cli.run import describe_run, describe_unfinished

__all__ = ["app", "verify"]

app = typer.Typer(help="List, show and compare runs; sign, export, import.", no_args_is_help=True)


@app.command("ls")
def ls(store: StoreOption = None, as_json: AsJson = False) -> int:
    """List runs, newest last, with state and test metrics."""
    records = mlops_ray.Records(store=store)
    rows = records.runs()
    if not rows:
        say(f"no runs in {records.workspace.location}; `mlops-ray run CONFIG` makes one")
    if as_json:
        emit_json("runs", {"runs": [asdict(row) for row in rows]})
        return OK
    show_table(
        ["run", "name", "state", "metric", "size_kib", "started"],
        [
            [r.run_id, r.name, r.state, r.metric or "-", r.size_bytes // 1024, r.started_at]
            for r in rows
        ],
    )
    return OK


@app.command("show")
def show(run: RunName, store: StoreOption = None, as_json: AsJson = False) -> int:
    """Show one run: metrics, gates, model, stages.

    Of a run that has not ended, what is known: its stages so far, and how it goes on.
    """
    found = mlops_ray.Records(store=store).show(run)
    if as_json:
        emit_json("run", found.to_json())
        return OK
    rows: list[list[object]]
    if isinstance(found, mlops_ray.Run):
        describe_run(found)
        rows = [[s.name, s.engine, s.cache, f"{s.wall_s:.2f}"] for s in found.envelope.stages]
    else:
        describe_unfinished(found)
        rows = [[s.name, None, s.cache, s.wall_s] for s in found.stages]
    show_table(["stage", "engine", "cache", "wall_s"], rows)
    return OK


trials.register(app)


@app.command("logs")
def logs(run: RunName, store: StoreOption = None, as_json: AsJson = False) -> int:
    """Print the log of a run, also while it runs or after."""
    lines = mlops_ray.Records(store=store).log(run)
    if as_json:
        emit_json("log", {"lines": lines})
        return OK
    for line in lines:
        fields = " ".join(f"{k}={v}" for k, v in line.items() if k not in {"time", "event"})
        print(line.get("time", ""), line.get("event", ""), fields)  # noqa: T201 - the result
    return OK


app.command("diff")(diff)
transfer.register(app)


def verify(
    target: Annotated[
        str,
        typer.Argument(
            help="Exported folder or tar, or a run: its id, its beginning, or 'latest'.",
            show_default=False,
        ),
    ],
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="Public key to trust (PEM); may be given again."),
    ] = None,
    require_signature: Annotated[
        bool, typer.Option("--require-signature", help="One of the --key must have signed the run.")
    ] = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Check offline that a run, or an export of one, is whole.

    Names each object that is missing or not what the manifest says, and each bad signature.

    Ends with 0 when all is well, 4 when something is not.
    """
    records = mlops_ray.Records(store=store)
    outcome = records.verify(target, keys=key or (), require_signature=require_signature)
    if as_json:
        emit_json("verify", outcome.to_json())
    for problem in outcome.problems:
        say(str(problem))
    if outcome.hint:
        say(outcome.hint)
    for name, digest in outcome.inputs_to_supply.items():
        say(f"input {name} is not kept with the run, so not checked; reproduce --data ({digest})")
    if not as_json:
        verdict = "ok" if outcome.is_ok else problems_text(len(outcome.problems))
        print(f"{verdict}: {outcome.n_objects} objects checked")  # noqa: T201 - the result
        for found in outcome.signatures:
            print(f"signature {found.key_id[:12]}: {found}")  # noqa: T201 - the result
    return OK if outcome.is_ok else LOOKED_AND_FOUND
