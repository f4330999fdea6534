"""`mlops-ray runs export / import / sign`: a run with all it needs, on its way to somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import AsJson, RunName, StoreOption
from mlops_ray.cli.output import emit_json, say

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the group `runs`."""
    app.command("export")(_export)
    app.command("import")(_import)
    app.command("sign")(_sign)


def _export(
    run: RunName,
    out: Annotated[
        str,
        typer.Argument(
            help="Folder or tar (.tar) to write; must not exist. With --to mlflow its address."
        ),
    ],
    to: Annotated[
        Literal["tensorboard", "mlflow"] | None,
        typer.Option("--to", help="Trials and metrics for another program, in place of the run."),
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Write a run with all it needs to a folder or a tar.

    What can be computed again stays behind. Says which inputs are too large to travel along.
    """
    if to is not None:
        return _export_to_tracker(run, out, to, store, as_json=as_json)
    done = mlops_ray.Records(store=store).export_run(run, out)
    if as_json:
        content = {
            "run_id": done.run_id,
            "path": str(done.path),
            "objects": done.n_objects,
            "size_bytes": done.size_bytes,
            "inputs_to_supply": done.inputs_to_supply,
        }
        emit_json("export", content)
    else:
        print(f"{done.path}: run {done.run_id}, {done.n_objects} objects")  # noqa: T201 - the result
    for name, digest in done.inputs_to_supply.items():
        say(f"input {name} is not in the store; supply it with --data ({digest})")
    return OK


def _export_to_tracker(
    run: str, out: str, to: Literal["tensorboard", "mlflow"], store: str | None, *, as_json: bool
) -> int:
    n_trials = mlops_ray.Records(store=store).export_to_tracker(run, to, out)
    if as_json:
        emit_json("export", {"to": to, "path": out, "trials": n_trials})
    else:
        print(f"{out}: {n_trials} trials for {to}")  # noqa: T201 - the result
    return OK


def _import(
    path: Annotated[Path, typer.Argument(help="Folder or tar that `runs export` wrote.")],
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Bring an exported run into the store.

    All of it is verified before any of it is visible. Importing a run again heals what of it was
    damaged, adds signatures that are new, and says so.
    """
    done = mlops_ray.Records(store=store).import_run(path)
    if as_json:
        content = {
            "run_id": done.run_id,
            "objects": done.n_objects,
            "was_there": done.was_there,
            "healed": done.healed,
            "signatures": done.signatures,
        }
        emit_json("import", content)
    else:
        how = _repeated(done) if done.was_there else "imported"
        print(f"{done.run_id}: {how}, {done.n_objects} objects")  # noqa: T201 - the result
    return OK


def _repeated(done: Any) -> str:  # noqa: ANN401 - mlops_ray's Imported, which is lazy
    """What the import of a run that was there did."""
    did = [f"healed {name}" for name in done.healed]
    did += [f"added the signature {stem}" for stem in done.signatures]
    return f"was there already; {', '.join(did) or 'nothing changed'}"


def _sign(
    run: RunName,
    key: Annotated[
        Path, typer.Option("--key", help="Private Ed25519 key (PEM) that only you can read.")
    ],
    passphrase_env: Annotated[
        str | None,
        typer.Option("--passphrase-env", help="Name of the variable with the key's passphrase."),
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Sign a run with an Ed25519 key.

    The signature lies beside the run and travels with it. To make a key: openssl genpkey
    -algorithm ed25519 -out key.pem; chmod 600 key.pem
    """
    records = mlops_ray.Records(store=store)
    key_id = records.sign_run(run, key, passphrase_env=passphrase_env)
    if as_json:
        emit_json("sign", {"run_id": records.run(run).run_id, "key_id": key_id})
    else:
        print(f"signed with key {key_id}")  # noqa: T201 - the result
    return OK
