"""`mlops-ray data ...`: a table by itself, before anything is made of it, and how it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import OK, REJECTED
from mlops_ray.cli.options import Address, AsJson, ConfigPath, NumCpus, Overrides, StoreOption
from mlops_ray.cli.output import emit_json, say, show_table
from mlops_ray.cli.run import describe_contract, describe_hints

__all__ = ["app"]

app = typer.Typer(
    help="Profile a table, draft a contract from it, hold it against one, keep a copy.",
    no_args_is_help=True,
)

Table = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG|SOURCE",
        help="Pipeline file (YAML), or file, folder or glob of data, or sklearn:NAME.",
        show_default=False,
    ),
]
Data = Annotated[
    str | None, typer.Option("--data", help="Read this source, not that of the pipeline file.")
]


@app.command("profile")
def profile(
    table: Table,
    data: Data = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", help="Column that the others are held against, if no pipeline file says it."
        ),
    ] = None,
    num_cpus: NumCpus = None,
    address: Address = None,
    as_json: AsJson = False,
) -> int:
    """Show the statistics of every column; of personal ones no value.

    With a target, how each column goes with it, and what looks like a leak or tells nothing.
    """
    dataset = mlops_ray.Dataset(table, data=data, num_cpus=num_cpus, address=address)
    found = dataset.facts(target)
    _say_left_out(dataset)
    if as_json:
        emit_json("profile", found.to_json())
        return OK
    profile = found.profile
    head = ["column", "type", "nulls", "distinct", "min", "mean", "max", "most frequent"]
    rows = [_row(name, column, dataset.pii) for name, column in profile.columns.items()]
    if profile.target is not None:
        head.append(f"with {profile.target}")
        measures = [_with_target(profile.associations.get(name)) for name in profile.columns]
        rows = [[*row, measure] for row, measure in zip(rows, measures, strict=True)]
    show_table(head, rows)
    say(f"{profile.n_rows} rows, fingerprint {found.fingerprint}")
    describe_hints(profile.hints)
    return OK


@app.command("contract")
def contract(
    table: Table,
    data: Data = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Draft a contract that the data keep, as YAML.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="With --learn: write the draft to this file.")
    ] = None,
    num_cpus: NumCpus = None,
    address: Address = None,
    as_json: AsJson = False,
) -> int:
    """Hold data against the contract of a pipeline file, or draft one with --learn.

    Ends with 0 when the data keep it or only warnings were found, 3 when a rule rejects them.
    """
    dataset = mlops_ray.Dataset(table, data=data, num_cpus=num_cpus, address=address)
    if learn:
        draft = dataset.learn_contract()
        _say_left_out(dataset)
        return _learn(draft, out, as_json=as_json)
    if out is not None:
        raise typer.BadParameter("--out goes with --learn")
    outcome = dataset.check_contract()
    _say_left_out(dataset)
    return _report(outcome, as_json=as_json)


@app.command("snapshot")
def snapshot(
    config: ConfigPath,
    overrides: Overrides = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Copy the exact inputs into the store, whatever their size.

    Afterwards `reproduce` needs no --data, and a run reads the copies as long as the inputs are
    still the same. Copies are kept by `store gc`.
    """
    kept = mlops_ray.Pipeline(config, overrides=overrides or (), store=store).snapshot()
    if as_json:
        emit_json("snapshot", kept.to_json())
        return OK
    show_table(
        ["input", "bytes", "digest"],
        [[file.name, file.size_bytes, file.sha256] for file in kept.inputs],
    )
    say(f"snapshot {kept.snapshot} of {kept.source}")
    return OK


def _say_left_out(dataset: Any) -> None:  # noqa: ANN401 - mlops_ray.Dataset, heavy
    for file in dataset.left_out:
        lost = "" if file.n_rows is None else f", {file.n_rows} rows"
        say(f"left out {file.name}{lost}: {file.reason}")


def _learn(draft: str, out: Path | None, *, as_json: bool) -> int:
    if out is not None:
        out.write_text(draft, encoding="utf-8")
        say(f"wrote {out}")
    if as_json:
        emit_json("contract_draft", {"yaml": draft})
    elif out is None:
        print(draft, end="")  # noqa: T201 - the result of the command
    return OK


def _report(outcome: Any, *, as_json: bool) -> int:  # noqa: ANN401 - of mlops_ray.data, heavy
    if as_json:
        emit_json("contract", outcome.to_json())
    else:
        show_table(
            ["rule", "verdict", "rows", "got", "wanted"],
            [[r.rule, r.verdict, r.n_rows, r.got, r.wanted] for r in outcome.rules],
        )
    describe_contract(outcome)
    return REJECTED if outcome.verdict == "FAIL" else OK


def _with_target(found: Any) -> list[str]:  # noqa: ANN401 - an association
    """The measures of an association that there are."""
    if found is None:
        return []
    named = {"V": found.cramers_v, "AUC": found.auc, "r": found.pearson}
    return [f"{name} {value:.3f}" for name, value in named.items() if value is not None]


def _row(name: str, column: Any, pii: frozenset[str]) -> list[Any]:  # noqa: ANN401 - a profile
    """A column's statistics in one line."""
    facts = column.to_json()
    first = [name, facts["dtype"], facts["n_null"]]
    if name in pii:
        return [*first, "personal", None, None, None, None]
    counts = facts.get("counts")
    ranked = sorted(counts["top"] if counts else [], key=lambda pair: -pair[1])[:3]
    mean = column.sums.mean if facts["kind"] == "number" and column.sums.n else None
    return [
        *first,
        None if counts is None else counts["n_distinct"],
        facts.get("minimum"),
        mean,
        facts.get("maximum"),
        [f"{value} ({n})" for value, n in ranked],
    ]
