"""`mlops-ray plan`: what a run would do now, and why."""

from __future__ import annotations

import mlops_ray
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import (
    AsJson,
    ConfigPath,
    FromStage,
    NoCache,
    Overrides,
    StoreOption,
)
from mlops_ray.cli.output import emit_json, say, show_table

__all__ = ["plan"]


def plan(
    config: ConfigPath,
    overrides: Overrides = None,
    from_stage: FromStage = None,
    no_cache: NoCache = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Say which stages a run would compute, and why.

    Kinds of reasons: data, config, code, environment; stage (it reads what another stage would
    make anew), object (the store lost it), option, new. Nothing is run.
    """
    pipeline = mlops_ray.Pipeline(config, overrides=overrides or (), store=store)
    found = pipeline.plan(from_stage=from_stage, no_cache=no_cache)
    if as_json:
        emit_json("plan", found.to_json())
        return OK
    rows = [
        [stage.name, stage.action, "; ".join(f"{r.kind}: {r.what}" for r in stage.because)]
        for stage in found.stages
    ]
    show_table(["stage", "action", "because"], rows)
    n_run = sum(stage.action == "run" for stage in found.stages)
    say(f"{n_run} of {len(rows)} stages would run" if n_run else "nothing to do: all is reused")
    return OK
