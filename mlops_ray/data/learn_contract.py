"""Drafting a contract from data: a bound for what was seen, and the rule that each bound came by.

The draft is a starting point for a person, as YAML with a comment on every line that was derived.
What it says of a column is told from its profile alone; of personal columns it tells no value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.data.column_profile import (
    CategoryProfile,
    NumberProfile,
    PresenceProfile,
    TimeProfile,
)
from mlops_ray.data.type_names import kind_of_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.counts import Value
    from mlops_ray.data.profile import Profile

__all__ = ["Roles", "draft_contract", "key_candidates"]

_MAX_VALUES: Final = 50  # A column of more distinct values is measured, not listed.
_ROWS_A_VALUE: Final = 20  # With fewer rows a value, the next table would hold new ones by chance.
_SLACK: Final = 0.1
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Roles:
    """What is known of the columns beside their values.

    Attributes:
        keys: Sets of columns that tell all rows apart, as the data show.
        moving: Columns whose values run on with every table: keys, an order, the time.
        pii: Columns whose values are not told.
        target: The column that is predicted, if it is a class.
        time: The time column.
        as_of: When the data are judged, ISO 8601.
    """

    keys: Sequence[Sequence[str]] = ()
    moving: Collection[str] = ()
    pii: Collection[str] = ()
    target: str | None = None
    time: str | None = None
    as_of: str | None = None


def key_candidates(profile: Profile) -> list[str]:
    """Columns that may tell every row apart, going by their counts of distinct values."""
    return [
        name
        for name, column in profile.columns.items()
        if isinstance(column, NumberProfile | CategoryProfile)
        and column.dtype in {"integer", "string"}
        and not column.n_null
        and (column.counts.is_overflow or len(column.counts.counts) == profile.n_rows)
    ]


def draft_contract(profile: Profile, roles: Roles, source: str) -> str:
    """A contract as YAML text, to stand in a pipeline file.

    Args:
        profile: Of all rows of the data.
        roles: What is known of the columns.
        source: Where the data come from, for the heading.
    """
    lines = [
        f"# Drafted from {profile.n_rows} rows of {source}: look at every line before you use it.",
        "data:",
        "  contract:",
        "    columns:",
    ]
    for name, column in profile.columns.items():
        lines += [
            f"      {_key(name)}:",
            *(f"        {line}" for line in _column(name, column, roles)),
        ]
    if roles.keys:
        lines.append("    unique:  # no two of these rows share them")
        lines += [f"      - [{', '.join(map(_key, key))}]" for key in roles.keys]
    low, high = profile.n_rows // 2, profile.n_rows * 2
    lines.append(f"    rows: {{min: {low}, max: {high}}}  # half and twice of {profile.n_rows}")
    lines += [f"    {line}" for line in _freshness(profile, roles)]
    lines += [f"    {line}" for line in _labels(profile, roles)]
    return "\n".join(lines) + "\n"


def _column(name: str, column: ColumnProfile, roles: Roles) -> Iterator[str]:
    yield f"type: {kind_of_name(column.dtype)}"
    share = column.n_null / column.n_rows if column.n_rows else 0.0
    if not share:
        yield "nulls: 0  # none seen"
    else:
        bound = min(1.0, _rounded_up(2 * share))
        yield f"nulls: {bound:g}  # twice the share seen, {share:.3g}"
    if name in roles.pii:
        yield "# personal: no values are told"
    elif name in roles.moving:
        yield "# a key, an order or the time: its values run on, so they have no bounds"
    elif name != roles.target:
        yield from _values(column)


def _values(column: ColumnProfile) -> Iterator[str]:
    if isinstance(column, TimeProfile | PresenceProfile):
        return
    counts = column.counts.counts
    is_listed = (
        column.dtype not in {"float", "decimal"}
        and not column.counts.is_overflow
        and 0 < len(counts) <= _MAX_VALUES
        and len(counts) * _ROWS_A_VALUE <= column.n_rows
    )
    if is_listed:
        yield f"values: [{_scalars(counts)}]  # all {len(counts)} seen; max_share lets new ones in"
    elif isinstance(column, NumberProfile) and column.minimum is not None:
        low, high = column.minimum, column.maximum if column.maximum is not None else column.minimum
        margin = _SLACK * (high - low)
        bounds = [_outward(low, -margin, column.dtype), _outward(high, margin, column.dtype)]
        what = f"seen {_number(low)} to {_number(high)}, a tenth of the spread more on each side"
        yield f"range: {{min: {bounds[0]}, max: {bounds[1]}}}  # {what}"


def _outward(end: float, margin: float, dtype: str) -> str:
    """An end moved outward, but not across zero: what is never negative stays so."""
    moved = end + margin
    if (end >= 0) != (moved >= 0) or end == 0:
        moved = 0.0
    if dtype == "integer":
        return str(math.floor(moved) if margin < 0 else math.ceil(moved))
    return _number(moved)


def _number(value: float) -> str:
    """As YAML 1.2 reads a number: ``1e+30`` needs its point."""
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    text = repr(value)
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def _freshness(profile: Profile, roles: Roles) -> Iterator[str]:
    column = profile.columns.get(roles.time or "")
    if roles.as_of is None or not isinstance(column, TimeProfile) or column.maximum is None:
        return
    ticks = column.maximum * (_DAY_US if column.dtype == "date" else 1)
    as_of = int(np.datetime64(roles.as_of.removesuffix("Z"), "us").astype(np.int64))
    age_days = max(0, as_of - ticks) / _DAY_US
    yield f"freshness: {max(1, math.ceil(2 * age_days))}  # days: twice the {age_days:.3g} seen"


def _labels(profile: Profile, roles: Roles) -> Iterator[str]:
    column = profile.columns.get(roles.target or "")
    if not isinstance(column, NumberProfile | CategoryProfile) or not column.counts.counts:
        return
    counts = column.counts.counts
    rarest = min(counts.values()) / sum(counts.values())
    yield "labels:"
    yield f"  classes: [{_scalars(counts)}]  # all seen"
    why = f"half the share of the rarest, {rarest:.3g}"
    yield f"  balance: {{min_share: {rarest / 2:.2g}}}  # {why}"


def _rounded_up(share: float) -> float:
    """To two digits, and never below what it was."""
    digits = 1 - math.floor(math.log10(share))
    return float(math.ceil(share * 10.0**digits) / 10.0**digits)


def _scalars(counts: Collection[Value]) -> str:
    return ", ".join(map(_scalar, counts))


def _scalar(value: Any) -> str:  # noqa: ANN401 - a value of a column
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else str(value)


def _key(name: str) -> str:
    return name if name.isidentifier() and name.lower() not in _WORDS else _quoted(name)


_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan"})
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(text: str) -> str:
    """Double-quoted YAML; what cannot be printed is escaped."""
    shown = "".join(_ESCAPED.get(c, c if c.isprintable() else _escape(c)) for c in text)
    return f'"{shown}"'


def _escape(character: str) -> str:
    return f"\\U{ord(character):08X}"
