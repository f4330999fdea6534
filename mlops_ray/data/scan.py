"""The one pass over the data: fingerprint, split and statistics together.

Every unit is read once and answers with a few kilobytes of exact partial results; the answers are
added in unit order. Since all of them add up exactly, the outcome depends on the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from mlops_ray.data.cells import counted, decode
from mlops_ray.data.classes import classes_of
from mlops_ray.data.contract_pass import set_aside, tally_rows
from mlops_ray.data.contract_tally import ContractTally
from mlops_ray.data.fingerprint import RowSequence, RowTally
from mlops_ray.data.measure import measure_column
from mlops_ray.data.packed import pack, unpack
from mlops_ray.data.profile import Profile
from mlops_ray.data.profile_bytes import profile_content, profile_of_content
from mlops_ray.data.row_parts import RowParts
from mlops_ray.data.row_sample import RowSample
from mlops_ray.data.rowhash import HasherPair, RowHasher
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.data.supervision import TargetCounts, may_be_id
from mlops_ray.data.target_rows import TargetRows
from mlops_ray.data.unit import read_unit
from mlops_ray.errors import ColumnError, ContractError, ManifestError, SourceError, Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.cells import Cells, Counted
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.supervision import Supervision
    from mlops_ray.data.target_rows import ColumnJoint
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["ALL", "SCAN_SCHEMA", "Scan", "ScanPlan", "combine_answers", "scan", "scan_unit"]

_Target: TypeAlias = "tuple[Counted, LogicalType]"
SCAN_SCHEMA: Final = "mlops-ray/scan/v2"

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


@dataclass(frozen=True, slots=True)
class Scan:
    """What the pass found.

    Attributes:
        schema: Of the columns read.
        profiles: Group of rows, such as ``train``, -> its statistics.
        tallies: Group of rows -> its multiset of rows.
        sequence: All rows in the order of the input; not part of the bytes, which do not depend on
            it.
        contract: What the rules of the contract counted; not part of the bytes.
        beside: Group of rows -> its counts beside the target; empty where none was named.
        ids: Features that hold another value in every row, from `data.find_ids`.
        maybe_ids: Features that hold no value twice in any unit; not part of the bytes.
    """

    schema: Schema
    profiles: dict[str, Profile]
    tallies: dict[str, RowTally]
    sequence: RowSequence = field(default_factory=RowSequence, compare=False)
    contract: ContractTally = field(default_factory=ContractTally, compare=False)
    beside: dict[str, TargetCounts] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    maybe_ids: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def n_rows(self) -> int:
        """Rows of all groups together."""
        return sum(profile.n_rows for profile in self.profiles.values())

    @property
    def fingerprint(self) -> str:
        """The logical fingerprint of all rows."""
        return reduce(RowTally.__add__, self.tallies.values()).fingerprint(self.schema)

    @property
    def ordered_fingerprint(self) -> str:
        """The logical fingerprint of all rows in the order of the input."""
        return self.sequence.fingerprint(self.schema)

    @property
    def membership(self) -> dict[str, str]:
        """Group of rows -> fingerprint of its rows: which rows train, validate and test."""
        return {name: tally.fingerprint(self.schema) for name, tally in self.tallies.items()}

    def to_bytes(self) -> bytes:
        """The whole of it; columns and groups keep their order, and equal scans equal bytes."""
        columns = [[name, dtype] for name, dtype in self.schema.items()]
        groups, arrays = _content(self)
        content = {"schema": SCAN_SCHEMA, "columns": columns, "groups": groups}
        return pack({**content, "ids": list(self.ids)}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Scan:
        """What `to_bytes` wrote.

        Raises:
            ManifestError: The bytes are no scan of version 2.
        """
        content, arrays = unpack(data)
        if not isinstance(content, dict) or content.get("schema") != SCAN_SCHEMA:
            raise ManifestError("not a scan this version can read", wanted=SCAN_SCHEMA)
        read = _of_content(dict(content["columns"]), content["groups"], arrays)
        return replace(read, ids=tuple(content["ids"]))


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
    found = _merged(plan.schema, unit_map(partial(scan_unit, plan), units, combine_answers))
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
    return _answer(replace(found, contract=checked))


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


def combine_answers(answers: Sequence[bytes]) -> bytes:
    """Partial results of several units as those of one."""
    return _answer(_merged({}, answers))


def _parts(table: pa.Table, plan: ScanPlan, target: _Target | None) -> RowParts:
    n_rows, n_parts = table.num_rows, len(plan.groups)
    classes = None if target is None else classes_of(target[0], n_rows, n_parts)
    if plan.split is not None:
        return RowParts.of_codes(assign_split(table, plan.schema, plan.split), n_parts, classes)
    if classes is None:
        return RowParts.whole(n_rows)
    return RowParts.of_codes(np.zeros(n_rows, dtype=np.int8), n_parts, classes)


def _merged(schema: Schema, answers: Sequence[bytes]) -> Scan:
    parts = [_read_answer(answer) for answer in answers]
    groups = list(parts[0].profiles)
    return Scan(
        schema,
        {group: Profile.merged([part.profiles[group] for part in parts]) for group in groups},
        {
            group: reduce(RowTally.__add__, (part.tallies[group] for part in parts))
            for group in groups
        },
        reduce(RowSequence.__add__, (part.sequence for part in parts)),
        reduce(ContractTally.__add__, (part.contract for part in parts)),
        {
            group: TargetCounts.merged([part.beside[group] for part in parts])
            for group in parts[0].beside
        },
        maybe_ids=frozenset.intersection(*(part.maybe_ids for part in parts)),
    )


def _answer(found: Scan) -> bytes:
    groups, arrays = _content(found)
    more = {
        "sequence": found.sequence.to_json(),
        "contract": found.contract.to_json(),
        "maybe_ids": sorted(found.maybe_ids),
    }
    return pack({"groups": groups, **more}, arrays)


def _read_answer(answer: bytes) -> Scan:
    content, arrays = unpack(answer)
    return replace(
        _of_content({}, content["groups"], arrays),
        sequence=RowSequence.from_json(content["sequence"]),
        contract=ContractTally.from_json(content["contract"]),
        maybe_ids=frozenset(content["maybe_ids"]),
    )


def _content(found: Scan) -> tuple[list[dict[str, Any]], list[NDArray[Any]]]:
    groups, arrays = [], []
    for name, profile in found.profiles.items():
        content, more = profile_content(profile)
        group = {"name": name, "profile": content, "tally": found.tallies[name].to_json()}
        arrays += more
        if name in found.beside:
            group["beside"], more = found.beside[name].content()
            arrays += more
        groups.append(group)
    return groups, arrays


def _of_content(
    schema: Schema, groups: list[dict[str, Any]], arrays: Iterator[NDArray[Any]]
) -> Scan:
    found = Scan(schema, {}, {})
    for group in groups:
        name = group["name"]
        found.profiles[name] = profile_of_content(group["profile"], arrays)
        found.tallies[name] = RowTally.from_json(group["tally"])
        if "beside" in group:
            found.beside[name] = TargetCounts.of_content(group["beside"], arrays)
    return found
