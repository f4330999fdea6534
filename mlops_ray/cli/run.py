"""`mlops-ray run`: the whole pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlops_ray
from mlops_ray.cli.exit_codes import OK, REJECTED
from mlops_ray.cli.next_head import go_on_with_next_head, start_again
from mlops_ray.cli.options import (
    Address,
    AsJson,
    ConfigPath,
    FromStage,
    NoCache,
    NumCpus,
    Overrides,
    RegistryOption,
    StoreOption,
)
from mlops_ray.cli.output import emit_json, error_content, say
from mlops_ray.cli.stdout import kept_from_others

__all__ = ["describe_contract", "describe_run", "describe_unfinished", "run"]


def run(  # noqa: PLR0913, PLR0917 - one argument an option
    config: ConfigPath,
    overrides: Overrides = None,
    from_stage: FromStage = None,
    no_cache: NoCache = False,
    num_cpus: NumCpus = None,
    address: Address = None,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Run a whole pipeline and register its model.

    Stages: ingest, split, profile, features, search, refit, evaluate, gate; then register.

    Finished stages are reused where nothing changed, so the same command goes on after a kill.

    Ends with 0 when the run is sealed, 3 when a gate or the data contract rejects it.
    """
    _start_from_bundle(config, overrides or (), store)
    go_on_with_next_head()
    pipeline = mlops_ray.Pipeline(config, overrides=overrides or (), store=store, registry=registry)
    progress = mlops_ray.terminal_progress(is_plain=as_json)
    with kept_from_others():
        outcome = pipeline.run(
            num_cpus=num_cpus,
            address=address,
            progress=progress,
            from_stage=from_stage,
            no_cache=no_cache,
        )
    if outcome.state == "rejected":
        return _report_rejection(outcome, as_json=as_json)
    if as_json:
        emit_json("run", outcome.to_json())
    else:
        describe_run(outcome)
    return OK


def _start_from_bundle(config: Path, overrides: Sequence[str], store: Path | str | None) -> None:
    """Go on as a process that imports captured code only; comes back in that process."""
    # Here, so that `--help` stays fast.
    from mlops_ray.pipeline.capture import bundle_to_start  # noqa: PLC0415

    folder = bundle_to_start(config, overrides, store)
    if folder is not None:
        start_again(folder)


def _report_rejection(outcome: Any, *, as_json: bool) -> int:  # noqa: ANN401 - mlops_ray.Run
    facts = outcome.envelope.error
    kind = mlops_ray.ContractError if facts.code == "contract" else mlops_ray.GateError
    error = kind(
        f"run {outcome.run_id} was rejected: {facts.message}",
        hint=f"nothing was registered; see `mlops-ray runs show {outcome.run_id}`",
    )
    if as_json:
        emit_json("error", {**error_content(error), "run": outcome.to_json()})
    else:
        describe_run(outcome)  # With the rules of a contract, which need not be told twice.
        error = kind(error.what.partition("\n")[0], hint=error.hint)
    say(f"error: {error}")
    return REJECTED


def describe_contract(contract: Any) -> None:  # noqa: ANN401 - of mlops_ray.data, which is heavy
    """Say on stderr what came of a contract: broken rules and rows that were set aside."""
    n_set_aside = sum(contract.set_aside.values())
    kept = sum(rule.verdict == "PASS" for rule in contract.rules)
    say(f"contract   {contract.verdict}  {kept} of {len(contract.rules)} rules kept")
    if n_set_aside:
        say(f"set aside  {n_set_aside} rows, {sum(contract.n_rows.values())} are left")
    for rule in contract.rules:
        if rule.verdict != "PASS":
            say(f"  {rule}")


def _describe_search(result: Any) -> None:  # noqa: ANN401 - of mlops_ray.manifest, which is heavy
    """Say on stderr how the search went, and whether a clock or the memory had a say in it."""
    if result is None:
        return
    found = result.search
    ended = f"{found.n_finished} finished, {found.n_pruned} pruned, {found.n_failed} failed"
    rounds = "" if found.best_rounds is None else f", {found.best_rounds} rounds"
    say(f"trials     {ended}; best {found.best_value:.6g} of trial {found.best_index}{rounds}")
    if result.determinism == "replayable":
        say("           a clock, the memory or lost workers had a say; `reproduce` takes that over")


def describe_hints(hints: Any) -> None:  # noqa: ANN401 - of mlops_ray.data, which is heavy
    """Warn on stderr of what looks like a leak or tells nothing."""
    for hint in hints:
        say(f"warning    {hint}")


def describe_run(outcome: Any) -> None:  # noqa: ANN401 - mlops_ray.Run, which is lazy
    """Say on stderr what came out; the run id alone goes to stdout."""
    say("")
    say(f"run        {outcome.run_id}  {outcome.state}  ({outcome.wall_s:.1f} s)")
    if outcome.envelope.parent:
        say(f"continues  {outcome.envelope.parent}")
    for file in outcome.quarantined_files:
        rows = "rows unknown" if file.n_rows is None else f"{file.n_rows} rows lost"
        say(f"left out   {file.name}: {file.reason} ({rows})")
    say(f"spec_id    {outcome.spec_id}")
    say(f"result_id  {outcome.result_id or '-'}")
    if outcome.envelope.error and not outcome.contract:
        say(f"error      {outcome.envelope.error.message}")
    if outcome.contract:
        describe_contract(outcome.contract)
    describe_hints(outcome.hints)
    _describe_search(outcome.result)
    for name, value in sorted(outcome.metrics.items()):
        say(f"test       {name} = {value:.6g}")
    for gate in outcome.gates:
        wanted = f"{gate.metric} {gate.comparator} {gate.threshold:g}"
        got = "no value" if gate.value is None else f"{gate.value:.6g}"
        say(f"gate       {gate.verdict}  {wanted}, got {got}")
    if outcome.model:
        _describe_model(outcome)
    print(outcome.run_id)  # noqa: T201 - the result of the command


def _describe_model(outcome: Any) -> None:  # noqa: ANN401 - mlops_ray.Run, as above
    reference = f"{outcome.model['name']}@{outcome.model['version']}"
    say(f"model      {reference}  {outcome.model['bundle']}")
    say("")
    say("next:")
    say(f"  mlops-ray verify {outcome.run_id}")
    say(f"  mlops-ray serve {reference}")
    say(f"  mlops-ray models promote {reference} champion")


def describe_unfinished(found: Any) -> None:  # noqa: ANN401 - mlops_ray's UnfinishedRun, lazy
    """Say on stderr what is known of a run that has not ended; its id alone goes to stdout."""
    say("")
    say(f"run        {found.run_id}  {found.state}")
    if found.parent:
        say(f"continues  {found.parent}")
    say(f"spec_id    {found.spec_id or '- (it said nothing before it died)'}")
    say(f"started    {found.started_at}")
    done = ", ".join(stage.name for stage in found.stages)
    say(f"finished   {len(found.stages)} of {found.of} stages{done and ': '}{done}")
    say(f"open       {found.open_stage or '-'}")
    last = f", last {found.log[-1]['event']} at {found.log[-1]['time']}" if found.log else ""
    say(f"log        {len(found.log)} lines{last}; see `mlops-ray runs logs {found.run_id}`")
    say(f"next       {found.way_on}")
    print(found.run_id)  # noqa: T201 - the result of the command
