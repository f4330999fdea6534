"""The contract inside the one pass: rows to be set aside leave the unit, all others are counted.

A rule that sets rows aside sees every row; all other rules, and everything else that is made of
the data, see the rows that are left. So a table from which rows were set aside gives what the table
without them gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.config.contract import UniqueRule, ValuesRule
from mlops_ray.data.arrays import to_ticks
from mlops_ray.data.contract_tally import MAX_EXAMPLES, ContractTally, Example, Found
from mlops_ray.data.key_zone import KeyZones
from mlops_ray.data.row_rule import breaking_rows
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.rule import misfit
from mlops_ray.data.rule_values import as_members
from mlops_ray.data.split import SPLITS, assign_split
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.rule import CheckPlan, Rule
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.split import SplitRows
    from mlops_ray.data.unit import Unit

__all__ = ["UNASSIGNED", "SetAside", "examples_of", "read_kept", "set_aside", "tally_rows"]

UNASSIGNED: Final = "unassigned"  # Part of a row that is set aside and has no key or time.
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A unit's rows, parted by the rules that set rows aside.

    Attributes:
        kept: The rows that are left.
        tally: What was set aside.
    """

    kept: pa.Table
    tally: ContractTally


def set_aside(
    table: pa.Table, schema: Schema, plan: CheckPlan | None, split: SplitRows | None, whole: str
) -> SetAside:
    """Leave out the rows that rules of kind ``quarantine`` name.

    Args:
        table: Rows in canonical types, with the columns of those rules.
        schema: Logical types.
        plan: The contract, if there is one.
        split: Parts the rows, for the counts.
        whole: Name of the one part where there is no split.

    Raises:
        ColumnError: A text that is to be shown is not UTF-8.
    """
    broken = [] if plan is None else _broken(table, schema, plan, is_quarantine=True)
    if plan is None or not broken:
        return SetAside(table, ContractTally())
    out = np.logical_or.reduce([mask for _, mask in broken])
    parts = _parts(table, schema, split, whole, np.flatnonzero(out))
    shown = partial(examples_of, table, schema, plan)
    tally = ContractTally(
        {
            rule.name: Found(_counts(mask, parts), shown(rule.columns, np.flatnonzero(mask)))
            for rule, mask in broken
        },
        _counts(out, parts),
    )
    return SetAside(table.filter(pa.array(~out)), tally)


def tally_rows(
    table: pa.Table,
    schema: Schema,
    plan: CheckPlan,
    parts: Mapping[str, NDArray[np.intp]],
) -> ContractTally:
    """What the rules that set nothing aside find in rows.

    Args:
        table: The rows that are left, in canonical types.
        schema: Logical types.
        plan: The contract.
        parts: Part of the split -> its row numbers.

    Raises:
        ColumnError: A text that is to be shown is not UTF-8.
    """
    shown = partial(examples_of, table, schema, plan)
    found = {
        rule.name: Found(_counts(mask, parts), shown(rule.columns, np.flatnonzero(mask)))
        for rule, mask in _broken(table, schema, plan, is_quarantine=False)
    }
    judged = {rule.kind: rule for rule in plan.rules if not misfit(rule, schema)}
    zones = {
        rule.name: KeyZones.of(table, rule.columns, schema)
        for rule in plan.rules
        if isinstance(rule.declared, UniqueRule) and not misfit(rule, schema)
    }
    newest = _newest(table, judged["freshness"]) if "freshness" in judged else None
    declared = judged["classes"].declared if {"classes", "balance"} <= judged.keys() else None
    classes = {}
    if isinstance(declared, ValuesRule):
        allowed = as_members(declared.allowed, schema[plan.target or ""]) or pa.array([])
        at, n_classes = _positions(table.column(plan.target or ""), allowed), len(allowed)
        classes = {
            part: tuple(np.bincount(at[rows] + 1, minlength=n_classes + 1)[1:].tolist())
            for part, rows in parts.items()
        }
    return ContractTally(found, newest=newest, classes=classes, zones=zones)


def read_kept(
    unit: Unit, schema: Schema, columns: Sequence[str], plan: CheckPlan | None
) -> pa.Table:
    """Columns of the rows of a unit that are not set aside.

    Raises:
        SourceError: The file is gone or torn.
        ColumnError: A value does not fit its column's type.
    """
    rules = [] if plan is None else [rule for rule in plan.rules if rule.is_quarantine]
    if plan is None or not rules:
        return read_unit(unit, schema, columns)
    needed = dict.fromkeys([*columns, *(name for rule in rules for name in rule.columns)])
    table = read_unit(unit, schema, [name for name in needed if name in schema])
    broken = _broken(table, schema, plan, is_quarantine=True)
    if broken:
        table = table.filter(pa.array(~np.logical_or.reduce([mask for _, mask in broken])))
    return table.select(list(columns))


def examples_of(
    table: pa.Table,
    schema: Schema,
    plan: CheckPlan,
    columns: Sequence[str],
    rows: NDArray[np.intp],
) -> tuple[Example, ...]:
    """The rows with the smallest hashes; none where a value is personal.

    Args:
        table: Rows in canonical types.
        schema: Logical types.
        plan: Says which columns are the key, and which are personal.
        columns: What breaks the rule.
        rows: Row numbers of those that do.
    """
    if plan.pii & set(columns):
        return ()
    key = [name for name in plan.key if name in schema] or list(schema)
    chosen = table.take(pa.array(rows))
    # With the values, so that rows of one hash are shown alike, whichever of them is taken.
    hashes = hash_rows(chosen, schema, list(dict.fromkeys([*key, *columns])))
    first = np.argsort(hashes[0], kind="stable")[:MAX_EXAMPLES]
    chosen, hashes = chosen.take(pa.array(first)), hashes[:, first]
    shown = [name for name in plan.key if name in schema and name not in plan.pii]
    keys, values = _texts(chosen, shown), _texts(chosen, columns)
    orders = [f"{first:016x}{second:016x}" for first, second in hashes.T.tolist()]
    return tuple(sorted(map(Example, orders, keys, values))[:MAX_EXAMPLES])


def _broken(
    table: pa.Table, schema: Schema, plan: CheckPlan, *, is_quarantine: bool
) -> list[tuple[Rule, NDArray[np.bool_]]]:
    """The rules of rows, of one of the two sorts, that some row breaks."""
    broken = []
    for rule in plan.rules:
        if rule.is_of_rows and rule.is_quarantine == is_quarantine:
            mask = None if misfit(rule, schema) else breaking_rows(rule, table, schema)
            if mask is not None:
                broken.append((rule, mask))
    return broken


def _counts(mask: NDArray[np.bool_], parts: Mapping[str, NDArray[np.intp]]) -> dict[str, int]:
    counts = {part: int(np.count_nonzero(mask[rows])) for part, rows in parts.items()}
    return {part: n for part, n in counts.items() if n}


def _parts(
    table: pa.Table, schema: Schema, split: SplitRows | None, whole: str, rows: NDArray[np.intp]
) -> dict[str, NDArray[np.intp]]:
    """The part of each of some rows; one without a key or a time has none."""
    if split is None:
        return {whole: rows}
    chosen = table.take(pa.array(rows))
    has_part = np.ones(len(rows), dtype=np.bool_)
    for name in split.columns:
        has_part &= ~pc.is_null(chosen.column(name), nan_is_null=True).to_numpy()
    codes = assign_split(chosen.filter(pa.array(has_part)), schema, split)
    placed = rows[has_part]
    parts: dict[str, NDArray[np.intp]] = {UNASSIGNED: rows[~has_part]}
    return parts | {name: placed[codes == at] for at, name in enumerate(SPLITS)}


def _newest(table: pa.Table, rule: Rule) -> int | None:
    column = pc.drop_null(table.column(rule.columns[0]))
    if not len(column):
        return None
    newest = int(to_ticks(column).max())
    return newest * _DAY_US if pa.types.is_date(column.type) else newest


def _positions(target: pa.ChunkedArray, allowed: pa.Array) -> NDArray[np.int32]:
    """Position of each row's class among the declared ones, -1 for others and for null."""
    if pa.types.is_dictionary(target.type):
        target = target.cast(target.type.value_type)
    found: NDArray[np.int32] = pc.fill_null(pc.index_in(target, value_set=allowed), -1).to_numpy()
    return found


def _texts(table: pa.Table, columns: Sequence[str]) -> list[tuple[tuple[str, str], ...]]:
    try:
        rows = table.select(list(dict.fromkeys(columns))).to_pylist()
    except UnicodeDecodeError as error:
        hint = "write the column as UTF-8"
        where = Where(key=columns[0])
        raise ColumnError(
            "a column holds text that is not UTF-8", hint=hint, where=where
        ) from error
    return [tuple((name, _text(value)) for name, value in row.items()) for row in rows]


def _text(value: Any) -> str:  # noqa: ANN401 - a cell
    return "null" if value is None else value if isinstance(value, str) else str(value)
