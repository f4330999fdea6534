"""The one pass over the data: fingerprint, split and statistics together.

Every unit is read once and answers with a few kilobytes of exact partial results; the answers are
added in unit order. Since all of them add up exactly, the outcome depends on the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Final, Self

from mlops_ray.data.cells import decode
from mlops_ray.data.contract_pass import set_aside, tally_rows
from mlops_ray.data.contract_tally import ContractTally
from mlops_ray.data.fingerprint import RowSequence, RowTally
from mlops_ray.data.measure import measure_column
from mlops_ray.data.packed import pack, unpack
from mlops_ray.data.profile import Profile
from mlops_ray.data.profile_bytes import profile_content, profile_of_content
from mlops_ray.data.row_parts import RowParts
from mlops_ray.data.rowhash import RowHasher
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.data.unit import read_unit
from mlops_ray.errors import ContractError, ManifestError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["ALL", "SCAN_SCHEMA", "Scan", "ScanPlan", "combine_answers", "scan", "scan_unit"]

SCAN_SCHEMA: Final = "mlops-ray/scan/v2"

ALL: Final = "all"  # The one group of rows where no split is asked for.


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What the pass is to do.

    Attributes:
        schema: Of all columns that are read, hashed and measured.
        split: How rows are parted; None keeps them in one group, `ALL`.
        check: The contract that the rows are held against, if there is one.
    """

    schema: Schema
    split: SplitRows | None
    check: CheckPlan | None = None

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
    """

    schema: Schema
    profiles: dict[str, Profile]
    tallies: dict[str, RowTally]
    sequence: RowSequence = field(default_factory=RowSequence, compare=False)
    contract: ContractTally = field(default_factory=ContractTally, compare=False)

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
        groups, arrays = _content(self.profiles, self.tallies)
        return pack({"schema": SCAN_SCHEMA, "columns": columns, "groups": groups}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ManifestError: The bytes are no scan of version 2.
        """
        content, arrays = unpack(data)
        if not isinstance(content, dict) or content.get("schema") != SCAN_SCHEMA:
            raise ManifestError("not a scan this version can read", wanted=SCAN_SCHEMA)
        profiles, tallies = _of_content(content["groups"], arrays)
        return cls(dict(content["columns"]), profiles, tallies)


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
    table = aside.kept
    rows = _parts(table, plan)
    hasher = RowHasher(rows, plan.schema, plan.schema)
    measured = {}
    for name in sorted(plan.schema):  # The order that the hash wants.
        dtype = plan.schema[name]
        measured[name] = measure_column(
            decode(table.column(name), dtype, name), dtype, rows, hasher
        )
    hashes = hasher.finish()
    checked = aside.tally
    if plan.check is not None:
        parts = {group: rows.rows_of(at) for at, group in enumerate(plan.groups)}
        checked += tally_rows(table, plan.schema, plan.check, parts)
    profiles, tallies = {}, {}
    for at, group in enumerate(plan.groups):
        columns = {name: measured[name][at] for name in plan.schema}
        profiles[group] = Profile(rows.sizes[at], columns)
        tallies[group] = RowTally.of(hashes[:, rows.bounds[at] : rows.bounds[at + 1]])
    return _answer(profiles, tallies, RowSequence.of(hashes, rows.order), checked)


def combine_answers(answers: Sequence[bytes]) -> bytes:
    """Partial results of several units as those of one."""
    found = _merged({}, answers)
    return _answer(found.profiles, found.tallies, found.sequence, found.contract)


def _parts(table: pa.Table, plan: ScanPlan) -> RowParts:
    if plan.split is None:
        return RowParts.whole(table.num_rows)
    return RowParts.of_codes(assign_split(table, plan.schema, plan.split), len(SPLITS))


def _merged(schema: Schema, answers: Sequence[bytes]) -> Scan:
    read = [unpack(answer) for answer in answers]
    parts = [_of_content(content["groups"], arrays) for content, arrays in read]
    sequences = [RowSequence.from_json(content["sequence"]) for content, _ in read]
    checked = [ContractTally.from_json(content["contract"]) for content, _ in read]
    groups = list(parts[0][0])
    return Scan(
        schema,
        {group: Profile.merged([profiles[group] for profiles, _ in parts]) for group in groups},
        {
            group: reduce(RowTally.__add__, (tallies[group] for _, tallies in parts))
            for group in groups
        },
        reduce(RowSequence.__add__, sequences),
        reduce(ContractTally.__add__, checked),
    )


def _answer(
    profiles: dict[str, Profile],
    tallies: dict[str, RowTally],
    sequence: RowSequence,
    checked: ContractTally,
) -> bytes:
    groups, arrays = _content(profiles, tallies)
    more = {"sequence": sequence.to_json(), "contract": checked.to_json()}
    return pack({"groups": groups, **more}, arrays)


def _content(
    profiles: dict[str, Profile], tallies: dict[str, RowTally]
) -> tuple[list[dict[str, Any]], list[NDArray[Any]]]:
    groups, arrays = [], []
    for name, profile in profiles.items():
        content, more = profile_content(profile)
        groups.append({"name": name, "profile": content, "tally": tallies[name].to_json()})
        arrays += more
    return groups, arrays


def _of_content(
    groups: list[dict[str, Any]], arrays: Iterator[NDArray[Any]]
) -> tuple[dict[str, Profile], dict[str, RowTally]]:
    profiles = {group["name"]: profile_of_content(group["profile"], arrays) for group in groups}
    return profiles, {group["name"]: RowTally.from_json(group["tally"]) for group in groups}
