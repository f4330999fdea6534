"""What a command prints: one JSON line or a table on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from mlops_ray.cli.stdout import discard_stderr, write_stdout
from mlops_ray.config.secret_formats import redacted, spans
from mlops_ray.errors import InvalidConfigError, MlopsRayError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "emit_json",
    "error_content",
    "is_json_wanted",
    "problems_text",
    "say",
    "show_table",
    "warn_of_differences",
]


def is_json_wanted() -> bool:
    """Whether this process was asked for JSON; known before the arguments are parsed."""
    return "--json" in sys.argv[1:]


def emit_json(thing: str, content: dict[str, Any]) -> None:
    """Print the one JSON line of a command, ``{"schema": "mlops-ray/<thing>/v1", ...}``.

    What JSON cannot say is null (a number that is not finite) or escaped (a name not in UTF-8);
    what looks like a secret is replaced by its kind.
    """
    tagged = _sayable({"schema": f"mlops-ray/{thing}/v1", **content})
    line = json.dumps(tagged, ensure_ascii=False, allow_nan=False)
    if next(spans(line), None) is not None:
        line = json.dumps(_without_secrets(tagged), ensure_ascii=False, allow_nan=False)
    write_stdout(line.encode() + b"\n")


def error_content(error: MlopsRayError, code: str = "") -> dict[str, Any]:
    """The content of ``mlops-ray/error/v1``; `problems` lists all mistakes of a config.

    Example:
        >>> error_content(MlopsRayError("torn", where=Where("p.yaml", 3)))["where"]
        {'file': 'p.yaml', 'line': 3, 'column': None, 'key': None}
    """
    content: dict[str, Any] = {
        "code": code or error.code,
        "message": str(error),
        "where": _place(error.where),
        "got": error.got,
        "wanted": error.wanted,
        "hint": error.hint,
    }
    if isinstance(error, InvalidConfigError):
        content["problems"] = [
            {**problem._asdict(), "where": _place(problem.where)} for problem in error.problems
        ]
    return content


def _place(where: Where) -> dict[str, str | int | None]:
    """A place; null where a member does not apply."""
    return {name: value or None for name, value in where._asdict().items()}


def problems_text(n: int) -> str:
    """How many problems there are.

    Example:
        >>> problems_text(1)
        '1 problem'
    """
    return "1 problem" if n == 1 else f"{n} problems"


def say(text: str) -> None:
    """Print a line for humans on stderr; what looks like a secret is replaced by its kind."""
    try:
        print(redacted(text), file=sys.stderr, flush=True)  # noqa: T201 - where humans are spoken to
    except OSError:  # Nobody is left to be told.
        discard_stderr()


def warn_of_differences(differences: Sequence[str]) -> None:
    """Say on stderr how the environment differs from that of a model's run, if it does."""
    if differences:
        say(f"warning: made in another environment: {', '.join(differences)} (recorded -> here)")


def show_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns on stdout, so that they can be piped into other tools.

    Example:
        >>> show_table(["model", "version"], [["churn", 3]])
        MODEL  VERSION
        churn  3
    """
    cells = [[name.upper() for name in header], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(redacted(line.rstrip()))  # noqa: T201 - the result of the command


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return redacted(value) if isinstance(value, str) else value


def _sayable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {_sayable(key): _sayable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _text(cell: object) -> str:
    """A cell for people: six digits of a number, no brackets or quotes around parts."""
    if isinstance(cell, float):
        return f"{cell:.6g}"
    if isinstance(cell, dict):
        return " ".join(f"{key}={_text(value)}" for key, value in cell.items()) or "-"
    if isinstance(cell, list | tuple):
        return ", ".join(_text(value) for value in cell) or "-"
    return "-" if cell is None else str(cell)
