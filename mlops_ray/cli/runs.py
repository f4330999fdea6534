"""`mlops-ray runs ...` and `mlops-ray verify`: the records of what ran."""

from __future__ import annotations

from dataclasses import asdict

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import AsJson, RunName, StoreOption
from mlops_ray.cli.output import emit_json, say, show_table
from mlops_ray.cli.run import describe_run

__all__ = ["app", "verify"]

app = typer.Typer(help="List runs, show one, read its log.", no_args_is_help=True)


@app.command("ls")
def ls(store: StoreOption = None, as_json: AsJson = False) -> int:
    """List runs, newest last, with state and test metrics."""
    records = mlops_ray.Records(store=store)
    rows = records.runs()
    if not rows:
        say(f"no runs in {records.workspace.store_root}; `mlops-ray run CONFIG` makes one")
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
    """Show one run: what was asked, what came out, under which circumstances."""
    found = mlops_ray.Records(store=store).run(run)
    if as_json:
        emit_json("run", found.to_json())
        return OK
    describe_run(found)
    show_table(
        ["stage", "engine", "cache", "wall_s"],
        [[s.name, s.engine, s.cache, f"{s.wall_s:.2f}"] for s in found.envelope.stages],
    )
    return OK


@app.command("logs")
def logs(run: RunName, store: StoreOption = None, as_json: AsJson = False) -> int:
    """Print the log of a run, also while it runs or after it died."""
    lines = mlops_ray.Records(store=store).log(run)
    if as_json:
        emit_json("log", {"lines": lines})
        return OK
    for line in lines:
        fields = " ".join(f"{k}={v}" for k, v in line.items() if k not in {"time", "event"})
        print(line.get("time", ""), line.get("event", ""), fields)  # noqa: T201 - the result
    return OK


def verify(run: RunName, store: StoreOption = None, as_json: AsJson = False) -> int:
    """Check offline that every object of a run is whole.

    Names each object that is missing or not what the manifest says.

    Ends with 0 when all is well, 4 when something is not.
    """
    outcome = mlops_ray.Records(store=store).verify(run)
    problems = [
        {"object": p.object, "role": p.role, "expected": p.expected, "got": p.got}
        for p in outcome.problems
    ]
    if as_json:
        content = {"ok": outcome.is_ok, "objects": outcome.n_objects, "problems": problems}
        emit_json("verify", content)
    for problem in problems:
        say(
            f"{problem['role']} {problem['object']}: expected {problem['expected']}, "
            f"got {problem['got']}"
        )
    if not as_json:
        verdict = "ok" if outcome.is_ok else f"{len(problems)} problems"
        print(f"{verdict}: {outcome.n_objects} objects checked")  # noqa: T201 - the result
    return OK if outcome.is_ok else LOOKED_AND_FOUND
