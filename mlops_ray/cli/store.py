"""`mlops-ray store ...`: is the store whole, and what in it does nobody need."""

from __future__ import annotations

from typing import Annotated

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import AsJson, RegistryOption, StoreOption
from mlops_ray.cli.output import emit_json, problems_text, say

__all__ = ["app"]

app = typer.Typer(help="Check the store; delete what nothing needs.", no_args_is_help=True)


@app.command("verify")
def verify(
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every object and compute its digest anew.")
    ] = False,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Check that all runs, stages and versions have what they need.

    Names each record that cannot be read and each object that is missing, torn or foreign. What
    killed processes left is counted; it is no problem.

    Ends with 0 when all is well, 4 when something is not.
    """
    outcome = mlops_ray.Records(store=store, registry=registry).verify_store(read_data=read_data)
    if as_json:
        emit_json("store_verify", outcome.to_json())
    for problem in outcome.problems:
        say(f"{problem.object}: expected {problem.expected}, got {problem.got}")
    if not as_json:
        verdict = "ok" if outcome.is_ok else problems_text(len(outcome.problems))
        how = "read" if read_data else "looked at"
        print(f"{verdict}: {outcome.n_objects} objects {how}, {outcome.n_bytes} bytes")  # noqa: T201 - the result
        left = ", ".join(f"{n} {what}" for what, n in outcome.leftovers.items() if n)
        if left:
            say(f"left by interrupted processes, harmless: {left.replace('_', ' ')}")
    return OK if outcome.is_ok else LOOKED_AND_FOUND


@app.command("gc")
def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Delete nothing, only say what would be.")
    ] = False,
    unused_days: Annotated[
        float,
        typer.Option(
            "--unused-days", min=0, help="Forget cached stages that no run used for this long."
        ),
    ] = 30,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Delete the objects that nothing needs.

    Needed is what a run, a cached stage, a version or a living process leads to, so it is safe
    while runs write; but not on NFS, where locks do not hold. Runs are never deleted.
    """
    outcome = mlops_ray.Records(store=store, registry=registry).collect_garbage(
        dry_run=dry_run, stages_unused_days=unused_days
    )
    if as_json:
        emit_json("store_gc", outcome.to_json())
        return OK
    found = outcome.objects
    verb = "would delete" if dry_run else "deleted"
    if outcome.n_stages:
        say(f"{verb} {outcome.n_stages} finished stages that no run has used lately")
    print(  # noqa: T201 - the result
        f"{verb} {found.n_deleted} objects, {found.freed_bytes} bytes; {found.n_kept} stay"
    )
    return OK
