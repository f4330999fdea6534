"""The one pass over the data: fingerprint, split and statistics together.

Every unit is read once and answers with a few kilobytes of exact partial results; the answers are
added in unit order. Since all of them add up exactly, the outcome depends on the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import numpy as np

from mlops_ray.data.cells import counted, decode
from mlops_ray.data.classes import classes_of
from mlops_ray.data.contract_pass import set_aside, tally_rows
from mlops_ray.data.fingerprint import RowSequence, RowTally
from mlops_ray.data.measure import measure_column
from mlops_ray.data.profile import Profile
from mlops_ray.data.row_parts import RowParts
from mlops_ray.data.row_sample import RowSample
from mlops_ray.data.rowhash import HasherPair, RowHasher
from mlops_ray.data.scan_result import Scan, answer_of, combine_answers, merged
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.data.supervision import TargetCounts, may_be_id
from mlops_ray.data.target_rows import TargetRows
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.errors import ColumnError, ContractError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mlops_ray.data.cells import Cells, Counted
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.supervision import Supervision
    from mlops_ray.data.target_rows import ColumnJoint
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["ALL", "ScanPlan", "scan", "scan_unit"]

_Target: TypeAlias = "tuple[Counted, LogicalType]"

ALL: Final = "all"  # The one group of rows where no split is asked for.


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What the pass is to do.

    Attributes:
        schema: Of all columns that are read, hashed and measured.
        split: How rows are parted; None keeps them in one group, `ALL`.
        check: The contract that the rows are held against, if there is one.
        supervision: Which columns are counted beside which target, if any.
    """

    schema: Schema
    split: SplitRows | None
    check: CheckPlan | None = None
    supervision: Supervision | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups of rows."""
        return (ALL,) if self.split is None else SPLITS


def scan(units: Sequence[Unit], plan: ScanPlan, unit_map: UnitMap) -> Scan:
    """Read every unit once and add up what they hold.

    Args:
        units: From `list_units`.
        plan: What to do.
        unit_map: Runs the work, here or on Ray.

    Raises:
        SourceError: There is no unit, or a file cannot be read.
        ContractError: The contract sets every row aside.
        ColumnError: A value does not fit its column, or a key or time is null.
    """
    if not units:
        raise SourceError("the input files hold no rows", "0 row groups", "at least 1")
    found = merged(plan.schema, unit_map(partial(scan_unit, plan), units, combine_answers))
    checked = found.contract
    if not found.n_rows:
        if checked.set_aside:
            n_rows = sum(checked.set_aside.values())
            raise ContractError(
                "gate data_valid: the contract sets every row aside", f"{n_rows} rows"
            )
        got = f"0 rows in {len(units)} row groups or files"
        raise SourceError("the input files hold no rows", got, "at least 1")
    return found


def scan_unit(plan: ScanPlan, unit: Unit) -> bytes:
    """Partial results of one unit."""
    table = read_unit(unit, plan.schema)
    aside = set_aside(table, plan.schema, plan.check, plan.split, ALL)
    target = _target(aside.kept, plan)
    rows = _parts(aside.kept, plan, target)
    found = _measured(plan, aside.kept, rows, target)
    checked = aside.tally
    if plan.check is not None:
        parts = {group: rows.rows_of(at) for at, group in enumerate(plan.groups)}
        checked += tally_rows(aside.kept, plan.schema, plan.check, parts)
    return answer_of(replace(found, contract=checked))


def _target(table: pa.Table, plan: ScanPlan) -> _Target | None:
    """The column that others are counted beside, decoded."""
    if plan.supervision is None:
        return None
    name = plan.supervision.target
    dtype = plan.schema[name]
    target = counted(decode(table.column(name), dtype, name), dtype)
    if target is None:
        what, where = "values of this type cannot be a target", Where(key=name)
        raise ColumnError(what, dtype, "numbers, booleans, texts or times", where=where)
    return target


def _measured(plan: ScanPlan, table: pa.Table, rows: RowParts, target: _Target | None) -> Scan:
    """The statistics of a table, read once column by column."""
    hasher = RowHasher(rows, plan.schema, plan.schema)
    beside = None if target is None else _Beside(plan, TargetRows(*target, rows), rows, hasher)
    measured = {}
    for name in sorted(plan.schema):  # The order that the hash wants.
        dtype = plan.schema[name]
        cells = decode(table.column(name), dtype, name)
        if beside is None:
            measured[name] = measure_column(cells, dtype, rows, hasher)
        else:
            measured[name] = beside.measure(name, cells)
    hashes = hasher.finish()
    profiles, tallies = {}, {}
    for at, group in enumerate(plan.groups):
        columns = {name: measured[name][at] for name in plan.schema}
        profiles[group] = Profile(rows.sizes[at], columns)
        tallies[group] = RowTally.of(hashes[:, rows.bounds[at] : rows.bounds[at + 1]])
    found = Scan(plan.schema, profiles, tallies, RowSequence.of(hashes, rows.order))
    return found if beside is None else beside.added_to(found)


class _Beside:
    """Counts the features of a table beside its target, and hashes the content of its rows."""

    def __init__(
        self, plan: ScanPlan, target: TargetRows, rows: RowParts, hasher: RowHasher
    ) -> None:
        roles = cast("Supervision", plan.supervision)
        self._plan, self._roles, self._rows, self._target = plan, roles, rows, target
        self._hasher = hasher
        self._content = RowHasher(rows, plan.schema, roles.columns, n_lanes=1)
        self._joints: dict[str, ColumnJoint] = {}
        self._maybe_ids: list[str] = []

    def measure(self, name: str, cells: Cells) -> list[ColumnProfile]:
        """Statistics of a column, in the order of the names."""
        dtype, roles = self._plan.schema[name], self._roles
        if name not in roles.columns:
            return measure_column(cells, dtype, self._rows, self._hasher)
        own = counted(cells, dtype)
        if name != roles.target and own is not None:
            self._joints[name] = self._target.beside(own[0])
            if dtype in {"integer", "string"} and may_be_id(own[0]):
                self._maybe_ids.append(name)
        both = HasherPair(self._hasher, self._content)
        return measure_column(cells, dtype, self._rows, both, self._joints.get(name))

    def added_to(self, found: Scan) -> Scan:
        """What was found, with these counts."""
        hashes, bounds = self._content.finish()[0], self._rows.bounds
        beside = {
            group: TargetCounts(
                {name: joint.found[at] for name, joint in self._joints.items()},
                RowSample.of(hashes[bounds[at] : bounds[at + 1]]),
            )
            for at, group in enumerate(self._plan.groups)
        }
        return replace(found, beside=beside, maybe_ids=frozenset(self._maybe_ids))


def _parts(table: pa.Table, plan: ScanPlan, target: _Target | None) -> RowParts:
    n_rows, n_parts = table.num_rows, len(plan.groups)
    classes = None if target is None else classes_of(target[0], n_rows, n_parts)
    if plan.split is not None:
        return RowParts.of_codes(assign_split(table, plan.schema, plan.split), n_parts, classes)
    if classes is None:
        return RowParts.whole(n_rows)
    return RowParts.of_codes(np.zeros(n_rows, dtype=np.int8), n_parts, classes)
