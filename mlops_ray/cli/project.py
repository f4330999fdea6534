"""`mlops-ray init`, `check`, `doctor`: before the first run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import AsJson, ConfigPath, Overrides, RegistryOption, StoreOption
from mlops_ray.cli.output import emit_json, say, show_table
from mlops_ray.errors import ConfigError

__all__ = ["check", "doctor", "init"]


def init(
    folder: Annotated[str, typer.Argument(help="Folder to fill; made if absent.")] = ".",
    as_json: AsJson = False,
) -> int:
    """Make a small project that runs."""
    if not folder:  # A Path would make it the current folder.
        raise ConfigError("the folder's name is empty", hint="`mlops-ray init .` fills this folder")
    written = mlops_ray.init_project(Path(folder))
    if as_json:
        emit_json("init", {"files": [str(path) for path in written]})
        return OK
    for path in written:
        print(path)  # noqa: T201 - the result
    config = next(path for path in written if path.suffix == ".yaml")
    say("next:")
    say(f"  mlops-ray check {config}")
    say(f"  mlops-ray run {config}")
    return OK


def check(
    config: ConfigPath,
    overrides: Overrides = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Check a pipeline file, its data and parameters, without Ray."""
    facts = mlops_ray.Pipeline(config, overrides=overrides or (), store=store).check()
    if as_json:
        emit_json("check", facts)
        return OK
    show_table(["field", "value"], list(facts.items()))
    return OK


def doctor(
    store: StoreOption = None, registry: RegistryOption = None, as_json: AsJson = False
) -> int:
    """Look at versions, disk, memory, ports, tokens, store, registry."""
    checks = mlops_ray.Project(store=store, registry=registry).doctor()
    failed = any(item.status == "fail" for item in checks)
    if as_json:
        emit_json("doctor", {"ok": not failed, "checks": [item.to_json() for item in checks]})
    else:
        show_table(
            ["check", "status", "detail", "fix"],
            [[item.name, item.status, item.detail, item.fix] for item in checks],
        )
    return LOOKED_AND_FOUND if failed else OK
