"""Hints that a model would learn what it cannot know, or nothing, each with its evidence.

They are hints: a column may determine the target and be known in time, and a table of few columns
holds equal rows by chance. So a run warns and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from mlops_ray.data.column_profile import CategoryProfile, NumberProfile, PresenceProfile
from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlops_ray.data.association import Association
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.row_sample import RowSample

__all__ = [
    "HINTS_SCHEMA",
    "Hint",
    "column_hints",
    "hints_to_bytes",
    "id_hints",
    "read_hints",
    "shared_row_hints",
]

HINTS_SCHEMA: Final = "mlops-ray/hints/v1"

Kind = Literal[
    "equals_target",
    "determines_target",
    "nearly_determines_target",
    "linear_in_target",
    "id",
    "all_null",
    "nearly_constant",
    "rows_in_train",
]

_CONSTANT_SHARE: Final = 0.999
_EXPLAINED: Final = 0.9
_LINEAR: Final = 0.9999
_ROWS_A_BIN: Final = 10  # With fewer a bin is of one class by chance.
_SHARED_SHARE: Final = 0.01
_WORDS: Final[dict[str, str]] = {
    "equals_target": "equals the target in every row",
    "determines_target": "determines the target",
    "nearly_determines_target": "nearly determines the target",
    "linear_in_target": "is a linear function of the target",
    "id": "holds another value in every row, like an id",
    "all_null": "holds no value",
    "nearly_constant": "is nearly constant",
    "rows_in_train": "holds rows that also stand in train, by features and target",
}


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint.

    Attributes:
        kind: What was seen.
        column: The column, or the part of the split that rows are shared with.
        evidence: The numbers that it rests on.
    """

    kind: Kind
    column: str
    evidence: dict[str, int | float]

    def __str__(self) -> str:
        """The hint as a sentence with its numbers."""
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in self.evidence.items())
        return f"{self.column} {_WORDS[self.kind]} ({numbers})"

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"kind": self.kind, "column": self.column, "evidence": self.evidence}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(value["kind"], value["column"], value["evidence"])


def hints_to_bytes(hints: Sequence[Hint]) -> bytes:
    """The canonical document of hints, for `read_hints`."""
    return canonical_bytes({"schema": HINTS_SCHEMA, "hints": [hint.to_json() for hint in hints]})


def read_hints(data: bytes) -> tuple[Hint, ...]:
    """The hints of a document.

    Raises:
        ManifestError: The bytes are something else.
    """
    content = from_canonical(data)
    if content.get("schema") != HINTS_SCHEMA:
        raise ManifestError("not hints", repr(content.get("schema")), HINTS_SCHEMA)
    return tuple(Hint.from_json(hint) for hint in content["hints"])


def column_hints(
    columns: Mapping[str, ColumnProfile], associations: Mapping[str, Association]
) -> Iterator[Hint]:
    """Hints on single columns: what they hold, and how they go with the target.

    Args:
        columns: Profiles of the columns that are looked at.
        associations: Of those that were counted beside the target.
    """
    for name, column in columns.items():
        if not column.n_rows:
            continue
        empty = column.n_null == column.n_rows
        share = 1.0 if empty else _largest_share(column)
        if empty:
            yield Hint("all_null", name, {"n_rows": column.n_rows})
        elif share >= _CONSTANT_SHARE:
            yield Hint("nearly_constant", name, {"n_rows": column.n_rows, "share": share})
        if name in associations:
            yield from _on_target(name, column.n_rows, associations[name])


def _on_target(name: str, n_rows: int, found: Association) -> Iterator[Hint]:
    """At most one hint, the strongest."""
    evidence: dict[str, int | float] = {"n_rows": n_rows, "n_bins": found.n_bins}
    is_counted = n_rows >= _ROWS_A_BIN * found.n_bins
    if found.is_equal:
        yield Hint("equals_target", name, {"n_rows": n_rows})
    elif found.pearson is not None and abs(found.pearson) >= _LINEAR:
        yield Hint("linear_in_target", name, {"n_rows": n_rows, "pearson": found.pearson})
    elif found.explained is not None and is_counted:
        if found.is_determined:
            yield Hint("determines_target", name, evidence)
        elif found.explained >= _EXPLAINED:
            more = {"explained": found.explained}
            yield Hint("nearly_determines_target", name, {**evidence, **more})


def id_hints(ids: tuple[str, ...], n_rows: int) -> Iterator[Hint]:
    """Hints on features that tell every row apart; from `data.find_ids`."""
    for name in ids:
        yield Hint("id", name, {"n_rows": n_rows, "n_distinct": n_rows})


def shared_row_hints(samples: Mapping[str, RowSample]) -> Iterator[Hint]:
    """Hints on rows of valid and test that also stand in train.

    Args:
        samples: Part of the split -> rows by their content.
    """
    if "train" not in samples:
        return
    for part in ("valid", "test"):
        level = max(samples[part].level, samples["train"].level)
        own, train = samples[part].at_level(level), samples["train"].at_level(level)
        n_shared = own.n_rows_in(train)
        if n_shared and n_shared >= _SHARED_SHARE * own.n_rows:
            evidence: dict[str, int | float] = {"n_rows": n_shared, "n_looked_at": own.n_rows}
            yield Hint("rows_in_train", part, evidence)


def _largest_share(column: ColumnProfile) -> float:
    """Share of the rows that hold one value; 0 where that is not known."""
    if isinstance(column, NumberProfile | CategoryProfile):
        if column.counts.is_complete and column.counts.rows.size:
            return int(column.counts.rows.max()) / column.n_rows
        return 0.0
    if isinstance(column, PresenceProfile):
        return 0.0
    return 1.0 if column.minimum == column.maximum and not column.n_null else 0.0
