"""The one pass over the data: fingerprint, split and statistics together.

Every unit is read once and answers with a few kilobytes of exact partial results; the answers are
added in unit order. Since all of them add up exactly, the outcome depends on the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from mlops_ray.data.fingerprint import RowTally
from mlops_ray.data.measure import measure_column
from mlops_ray.data.profile import Profile
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.data.unit import read_unit
from mlops_ray.errors import ManifestError, SourceError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["ALL", "SCAN_SCHEMA", "Scan", "ScanPlan", "scan", "scan_unit"]

SCAN_SCHEMA: Final = "mlops-ray/scan/v1"

ALL: Final = "all"  # The one group of rows where no split is asked for.


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What the pass is to do.

    Attributes:
        schema: Of all columns that are read, hashed and measured.
        split: How rows are parted; None keeps them in one group, `ALL`.
    """

    schema: Schema
    split: SplitRows | None

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
    """

    schema: Schema
    profiles: dict[str, Profile]
    tallies: dict[str, RowTally]

    @property
    def n_rows(self) -> int:
        """Rows of all groups together."""
        return sum(profile.n_rows for profile in self.profiles.values())

    @property
    def fingerprint(self) -> str:
        """The logical fingerprint of all rows."""
        return reduce(RowTally.__add__, self.tallies.values()).fingerprint(self.schema)

    @property
    def membership(self) -> dict[str, str]:
        """Group of rows -> fingerprint of its rows: which rows train, validate and test."""
        return {name: tally.fingerprint(self.schema) for name, tally in self.tallies.items()}

    def to_bytes(self) -> bytes:
        """The whole of it as canonical JSON; columns and groups keep their order."""
        groups = [
            {
                "name": name,
                "profile": self.profiles[name].to_json(),
                "tally": self.tallies[name].to_json(),
            }
            for name in self.profiles
        ]
        columns = [[name, dtype] for name, dtype in self.schema.items()]
        return canonical_bytes({"schema": SCAN_SCHEMA, "columns": columns, "groups": groups})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ManifestError: The bytes are no scan of version 1.
        """
        content = from_canonical(data)
        if not isinstance(content, dict) or content.get("schema") != SCAN_SCHEMA:
            raise ManifestError("not a scan this version can read", wanted=SCAN_SCHEMA)
        groups = content["groups"]
        return cls(
            dict(content["columns"]),
            {group["name"]: Profile.from_json(group["profile"]) for group in groups},
            {group["name"]: RowTally.from_json(group["tally"]) for group in groups},
        )


def scan(units: Sequence[Unit], plan: ScanPlan, unit_map: UnitMap) -> Scan:
    """Read every unit once and add up what they hold.

    Args:
        units: From `list_units`.
        plan: What to do.
        unit_map: Runs the work, here or on Ray.

    Raises:
        SourceError: There is no unit, or a file cannot be read.
        ColumnError: A value does not fit its column, or a key or time is null.
    """
    if not units:
        raise SourceError("the input files hold no rows", "0 row groups", "at least 1")
    answers = [from_canonical(data) for data in unit_map(partial(scan_unit, plan), units)]
    profiles: dict[str, Profile] = {}
    tallies: dict[str, RowTally] = {}
    for group in plan.groups:
        parts = [answer[group] for answer in answers]
        profiles[group] = reduce(
            Profile.merge, (Profile.from_json(part["profile"]) for part in parts)
        )
        tallies[group] = reduce(
            RowTally.__add__, (RowTally.from_json(part["tally"]) for part in parts)
        )
    found = Scan(plan.schema, profiles, tallies)
    if not found.n_rows:
        got = f"0 rows in {len(units)} row groups or files"
        raise SourceError("the input files hold no rows", got, "at least 1")
    return found


def scan_unit(plan: ScanPlan, unit: Unit) -> bytes:
    """Partial results of one unit, as canonical JSON."""
    table = read_unit(unit, plan.schema)
    groups = _groups(table, plan)
    hashes = hash_rows(table, plan.schema, list(plan.schema))
    measured = {
        name: measure_column(table.column(name), dtype, groups, name)
        for name, dtype in plan.schema.items()
    }
    answer = {}
    for at, (group, rows) in enumerate(zip(plan.groups, groups, strict=True)):
        profile = Profile(len(rows), {name: parts[at] for name, parts in measured.items()})
        tally = RowTally.of(hashes[:, rows])
        answer[group] = {"profile": profile.to_json(), "tally": tally.to_json()}
    return canonical_bytes(answer)


def _groups(table: pa.Table, plan: ScanPlan) -> list[NDArray[np.intp]]:
    if plan.split is None:
        return [np.arange(table.num_rows)]
    codes = assign_split(table, plan.schema, plan.split)
    return [np.flatnonzero(codes == at) for at in range(len(SPLITS))]
