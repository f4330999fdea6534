"""What a pass finds out about a contract: exact counts that add up, and a few examples a rule.

The examples are those whose rows have the smallest hashes, so they are the same in every grouping
and order of the rows, like the counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from mlops_ray.data.key_zone import KeyZones

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_EXAMPLES", "ContractTally", "Example", "Found", "add_counts"]

MAX_EXAMPLES: Final = 5


class Example(NamedTuple):
    """A row that breaks a rule; sorts by the hash of its row.

    Attributes:
        order: Hash of the row, as hexadecimal text.
        key: Its key as text, column by column.
        values: What breaks the rule, likewise.
    """

    order: str
    key: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        key, values = (
            " ".join(f"{name}={value}" for name, value in pairs)
            for pairs in (self.key, self.values)
        )
        return f"{key}: {values}" if key else values


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that break one rule.

    Attributes:
        counts: Part of the split -> rows; parts without any are left out.
        examples: At most `MAX_EXAMPLES` of them.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows of all parts."""
        return sum(self.counts.values())

    def __add__(self, other: Found) -> Found:
        """What both sets of rows hold."""
        examples = sorted([*self.examples, *other.examples])[:MAX_EXAMPLES]
        return Found(add_counts(self.counts, other.counts), tuple(examples))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `from_json`."""
        return {"counts": dict(self.counts), "examples": [list(e) for e in self.examples]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        examples = [
            Example(order, *(tuple((n, v) for n, v in pairs) for pairs in rest))
            for order, *rest in value["examples"]
        ]
        return cls(value["counts"], tuple(examples))


@dataclass(frozen=True, slots=True)
class ContractTally:
    """What rules of rows and of the whole found in a set of rows.

    Attributes:
        found: Name of a rule -> the rows that break it; a rule that none breaks is left out.
        set_aside: Part of the split -> rows that some rule sets aside, each counted once.
        newest: Latest value of the column of freshness, in microseconds since 1970.
        classes: Part of the split -> rows of each declared class, in their order.
        zones: Name of a rule of uniqueness -> what is known of the order of its keys.
    """

    found: Mapping[str, Found] = field(default_factory=dict)
    set_aside: Mapping[str, int] = field(default_factory=dict)
    newest: int | None = None
    classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    zones: Mapping[str, KeyZones] = field(default_factory=dict)

    def __add__(self, other: ContractTally) -> ContractTally:
        """What both sets of rows hold."""
        found, zones, classes = dict(self.found), dict(self.zones), dict(self.classes)
        for name, rows in other.found.items():
            found[name] = found.get(name, Found()) + rows
        for name, known in other.zones.items():
            zones[name] = zones.get(name, KeyZones()) + known
        for part, counts in other.classes.items():
            ours = classes.get(part, (0,) * len(counts))
            classes[part] = tuple(a + b for a, b in zip(ours, counts, strict=True))
        newest = [time for time in (self.newest, other.newest) if time is not None]
        return ContractTally(
            found,
            add_counts(self.set_aside, other.set_aside),
            max(newest, default=None),
            classes,
            zones,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `from_json`."""
        return {
            "found": {name: rows.to_json() for name, rows in self.found.items()},
            "set_aside": dict(self.set_aside),
            "newest": self.newest,
            "classes": {part: list(counts) for part, counts in self.classes.items()},
            "zones": {name: known.to_json() for name, known in self.zones.items()},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            {name: Found.from_json(rows) for name, rows in value["found"].items()},
            value["set_aside"],
            None if value["newest"] is None else int(value["newest"]),
            {part: tuple(counts) for part, counts in value["classes"].items()},
            {name: KeyZones.from_json(known) for name, known in value["zones"].items()},
        )


def add_counts(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Counts of both, by name.

    Example:
        >>> add_counts({"train": 1}, {"train": 2, "test": 1})
        {'train': 3, 'test': 1}
    """
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}
