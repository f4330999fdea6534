"""`mlops-ray features ls`, `show`, `diff`, `test` and `register`: feature sets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import LOOKED_AND_FOUND, OK
from mlops_ray.cli.options import AsJson, RegistryOption, StoreOption
from mlops_ray.cli.output import emit_json, say, show_table

__all__ = ["check", "diff", "ls", "register", "show"]

_WIDTH: Final = 60  # Characters of a value that people are shown.

SetRef = Annotated[
    str,
    typer.Argument(
        help="NAME@VERSION, NAME for its newest version, a run, or sha256:...", show_default=False
    ),
]


def ls(registry: RegistryOption = None, as_json: AsJson = False) -> int:
    """List the registered feature sets."""
    records = mlops_ray.Records(registry=registry)
    versions = records.feature_sets()
    if not versions:
        say("no feature sets; `mlops-ray features register RUN --name NAME` makes one of a run")
    if as_json:
        emit_json("feature_sets", {"versions": [asdict(version) for version in versions]})
        return OK
    show_table(
        ["set", "version", "run", "digest"],
        [[v.name, v.version, v.run_id, v.digest[:19]] for v in versions],
    )
    return OK


def show(
    feature_set: SetRef,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Show a feature set: inputs, outputs, steps, what was fitted, and on which data."""
    content = mlops_ray.Records(store=store, registry=registry).find_features(feature_set).to_json()
    if as_json:
        emit_json("feature_set", content)
        return OK
    fitted_on = content["fitted_on"]
    say(f"digest     {content['digest']}")
    say(f"known as   {', '.join(content['known_as']) or '-'}")
    say(f"run        {content['run_id'] or '-'}")
    say(f"fitted on  {fitted_on['n_rows']} training rows of {fitted_on['fingerprint']}")
    say(f"inputs     {', '.join(f'{name}: {kind}' for name, kind in content['inputs'].items())}")
    say(f"outputs    {len(content['outputs'])}: {_listed(content['outputs'])}")
    say(f"examples   {len(content['examples'])} declared, {content['golden']} made up")
    rows = [
        [feature["column"], step["step"], _options(step), _fitted(fitted)]
        for feature in content["features"]
        for step, fitted in zip(feature["steps"], feature["fitted"], strict=True)
    ]
    show_table(["feature", "step", "options", "fitted"], rows)
    return OK


def diff(
    a: SetRef,
    b: SetRef,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Show only what differs between two feature sets: steps, fitted values, inputs, outputs.

    Ends with 0 whether they differ or not.
    """
    found = mlops_ray.Records(store=store, registry=registry).diff_features(a, b)
    if as_json:
        emit_json("feature_set_diff", found.to_json())
    elif found.is_empty:
        print("the feature sets do not differ")  # noqa: T201 - the result
    else:
        rows = [
            [member, what, _short(pair.a), _short(pair.b)]
            for member, pairs in found.differs.items()
            for what, pair in pairs.items()
        ]
        show_table(["differs", "what", "a", "b"], rows)
    return OK


def check(
    feature_set: SetRef,
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Run the examples of a feature set through both front ends, alone and in company.

    Ends with 4 where one does not hold, or its features change with the way it is asked.
    """
    tested = mlops_ray.Records(store=store, registry=registry).find_features(feature_set).test()
    if as_json:
        emit_json("feature_set_test", tested.to_json())
    else:
        say(f"{tested.n_examples} declared and {tested.n_golden} made-up examples")
        columns = ["example", "output", "way", "got", "wanted"]
        if not tested.is_ok:
            show_table(columns, [list(asdict(item).values()) for item in tested.differences])
        print("FAIL" if tested.differences else "PASS")  # noqa: T201 - the result
    return OK if tested.is_ok else LOOKED_AND_FOUND


def register(
    run: Annotated[str, typer.Argument(help="Run id, its beginning, or 'latest'.")],
    name: Annotated[str, typer.Option("--name", help="Name of the set.", show_default=False)],
    store: StoreOption = None,
    registry: RegistryOption = None,
    as_json: AsJson = False,
) -> int:
    """Give the features of a run a name and a version; equal ones keep theirs.

    Ends with 3 where a declared example does not hold.
    """
    version = mlops_ray.Records(store=store, registry=registry).register_features(run, name)
    if as_json:
        emit_json("feature_set_version", asdict(version))
    else:
        print(version.reference)  # noqa: T201 - the result
    return OK


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _options(step: dict[str, Any]) -> str:
    return _short({name: value for name, value in step.items() if name != "step"} or "-")


def _fitted(fitted: list[dict[str, Any]]) -> str:
    return _short(fitted[0] if len(fitted) == 1 else fitted)


def _short(value: Any) -> str:  # noqa: ANN401 - any JSON value
    text = "-" if value is None else str(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
