"""`mlops-ray runs trials`: the trials of a run, best first, and what they tell together."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import AsJson, RunName, StoreOption
from mlops_ray.cli.output import emit_json, say, show_table

__all__ = ["register"]

_SHOWN_TRIALS = 5  # Of one reason, by index.


def register(app: typer.Typer) -> None:
    """Add the command to the group `runs`."""
    app.command("trials")(_trials)


def _trials(
    run: RunName,
    top: Annotated[
        int, typer.Option("--top", min=0, help="Most trials to list; 0 lists all.")
    ] = 20,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Show the trials of a run, best first.

    Beside them: why trials failed, what became of them at each rung, which parameters counted, and
    CPU-seconds asked for and used. JSON has all trials.
    """
    found = mlops_ray.Records(store=store).run(run)
    overview = found.search_overview()
    if as_json:
        emit_json("trials", {"run_id": found.run_id, **overview.to_json()})
        return OK
    listed = overview.leaderboard[: top or None]
    has_shares = any(r.by == "data_share" for r in overview.records)
    show_table(
        ["trial", "status", overview.metric, "rounds", *["rows"] * has_shares, "params"],
        [
            [r.index, r.status, _value(r), _rounds(r), *[_rows(r)] * has_shares, r.params]
            for r in listed
        ],
    )
    if len(listed) < len(overview.records):
        say(f"{len(overview.records) - len(listed)} more trials; --top 0 lists all")
    _describe(overview)
    return OK


def _describe(overview: Any) -> None:  # noqa: ANN401 - of mlops_ray.search, which is heavy
    """Say on stderr what the trials tell together."""
    say("")
    counts = ", ".join(f"{n} {status}" for status, n in overview.counts.items())
    say(f"trials      {len(overview.records)}: {counts}")
    if overview.chosen is not None:
        say(f"chosen      trial {overview.chosen}")
    for reason in overview.reasons:
        some = ", ".join(map(str, reason.trials[:_SHOWN_TRIALS]))
        more = ", ..." if len(reason.trials) > _SHOWN_TRIALS else ""
        say(f"{reason.status:<11} {len(reason.trials)} x {reason.text} (trial {some}{more})")
    for rung in overview.rungs:
        best = "-" if rung.best is None else f"{rung.best:.6g}"
        say(
            f"rung        {rung.in_words}: {rung.entered} entered, {rung.went_on} went on, "
            f"{rung.pruned} pruned, {rung.failed} failed, {rung.finished} finished; best {best}"
        )
    _describe_importance(overview.importance)
    if overview.cpu_s is not None:
        asked_s, used_s = overview.cpu_s
        say(f"CPU         {used_s:.1f} s used of {asked_s:.1f} s asked for")


def _describe_importance(found: Any) -> None:  # noqa: ANN401 - of mlops_ray.search, as above
    if found is None:
        say("importance  unknown: it takes ten trials that can be compared")
        return
    at = f" at {found.rung_in_words}" if found.rung_in_words else ""
    if found.explained <= 0:
        say(f"importance  unknown: no parameter tells the order of {found.n_trials} trials{at}")
        return
    for name, share in found.shares.items():
        say(f"importance  {share:6.1%}  {name}")
    say(
        f"            of the rank of {found.n_trials} trials{at}, of which a forest explains "
        f"{found.explained:.0%}"
    )


def _value(record: Any) -> float | None:  # noqa: ANN401 - of mlops_ray.search, as above
    """Its objective; of a trial that was cut short, at its last rung."""
    if record.value is not None:
        return float(record.value)
    return record.rungs[-1][1] if record.rungs else None


def _rounds(record: Any) -> int | None:  # noqa: ANN401 - of mlops_ray.search, as above
    """Of its best look where trials have patience, else at its last rung."""
    if record.rounds is not None:
        return int(record.rounds)
    return record.rungs[-1][0] if record.rungs and record.by == "rounds" else None


def _rows(record: Any) -> str | None:  # noqa: ANN401 - of mlops_ray.search, as above
    """Share of the training rows at its last rung."""
    return f"{record.rungs[-1][0]:.1%}" if record.rungs else None
