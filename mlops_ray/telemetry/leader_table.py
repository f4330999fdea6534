"""The best trials of a running search as a table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mlops_ray.telemetry.wording import number_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.telemetry.standing import Standing

__all__ = ["leader_table"]


def leader_table(standing: Standing, n_rows: int) -> Table:
    """The best trials, best first, each in one line.

    Args:
        standing: How the search stands.
        n_rows: Most lines; the heading is not counted.
    """
    heading = ("trial", standing.metric, "parameters")
    leaders = standing.leaders[:n_rows]
    rows = [(str(x.index), number_text(x.value), _params_text(x.params)) for x in leaders]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, cells in list(zip(heading, zip(*rows, strict=True), strict=True))[:-1]:
        # Rich would squeeze numbers for the sake of parameters.
        width = max(len(name), *map(len, cells))
        table.add_column(Text(name), justify="right", min_width=width, no_wrap=True)
    table.add_column(heading[-1], no_wrap=True, overflow="ellipsis")
    for number, cells in enumerate(rows):
        table.add_row(*map(Text, cells), style="green" if number == 0 else "")
    return table


def _params_text(params: Mapping[str, object]) -> str:
    """Parameters as people write them.

    Example:
        >>> _params_text({"max_depth": 3, "eta": 0.123456789})
        'max_depth=3  eta=0.123457'
    """
    return "  ".join(f"{name}={_value_text(value)}" for name, value in params.items())


def _value_text(value: object) -> str:
    return number_text(value) if isinstance(value, float) else str(value)
