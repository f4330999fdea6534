"""`mlops-ray runs diff`: where two runs differ."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

import mlops_ray
from mlops_ray.cli.exit_codes import OK
from mlops_ray.cli.options import AsJson, StoreOption
from mlops_ray.cli.output import emit_json, say, show_table

__all__ = ["diff"]

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]{52}")

First = Annotated[
    str, typer.Argument(metavar="A", help="Run id, its beginning, or 'latest'.", show_default=False)
]
Second = Annotated[
    str, typer.Argument(metavar="B", help="The run to compare with it.", show_default=False)
]


def diff(a: First, b: Second, store: StoreOption = None, as_json: AsJson = False) -> int:
    """Show only what differs between two runs.

    Groups: data, code, environment, config, features, search, metrics, model. Says so where
    metrics may not be compared, since the test rows differ.

    Ends with 0 whether they differ or not.
    """
    found = mlops_ray.Records(store=store).diff(a, b)
    if as_json:
        emit_json("diff", found.to_json())
        return OK
    for name, run in (("a", found.a), ("b", found.b)):
        say(f"{name}  {run['run_id']}  {run['state']}  {_short(run['result_id'] or 'no result')}")
    if found.is_empty:
        print("the runs do not differ")  # noqa: T201 - the result of the command
    else:
        rows = [
            [member, what, _short(pair.a), _short(pair.b)]
            for member, pairs in found.differs.items()
            for what, pair in pairs.items()
        ]
        show_table(["differs", "what", "a", "b"], rows)
    if not found.is_comparable:
        print(f"metrics may not be compared: {found.reason}")  # noqa: T201 - the result
    return OK


def _short(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Twelve digits of a digest are enough for people."""
    return _DIGEST.sub(r"\1", value) if isinstance(value, str) else value
