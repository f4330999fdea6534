"""What the pass over the data found, as bytes, and as the sum of what its units hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.data.contract_tally import ContractTally
from mlops_ray.data.fingerprint import RowSequence, RowTally
from mlops_ray.data.packed import pack, unpack
from mlops_ray.data.profile import Profile
from mlops_ray.data.profile_bytes import profile_content, profile_of_content
from mlops_ray.data.supervision import TargetCounts
from mlops_ray.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema

__all__ = ["SCAN_SCHEMA", "Scan", "answer_of", "combine_answers", "merged"]

SCAN_SCHEMA: Final = "mlops-ray/scan/v2"


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


def combine_answers(answers: Sequence[bytes]) -> bytes:
    """Partial results of several units as those of one."""
    return answer_of(merged({}, answers))


def merged(schema: Schema, answers: Sequence[bytes]) -> Scan:
    """What units of a schema hold together, from their answers in unit order."""
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


def answer_of(found: Scan) -> bytes:
    """What is found of a unit, with what is no part of its bytes; `merged` reads it."""
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
