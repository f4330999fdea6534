"""The verdict on a contract: every rule with what was wanted and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

from mlops_ray.data.contract_tally import Example
from mlops_ray.data.split import SPLITS
from mlops_ray.errors import ContractError, ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.contract import OnViolation

__all__ = ["OUTCOME_SCHEMA", "ContractOutcome", "ContractVerdict", "RuleOutcome", "RuleVerdict"]

OUTCOME_SCHEMA: Final = "mlops-ray/contract/v1"
ContractVerdict: TypeAlias = Literal["PASS", "WARN", "FAIL"]
RuleVerdict: TypeAlias = Literal["PASS", "WARN", "FAIL", "QUARANTINED", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What came of one rule.

    Attributes:
        rule: Its name, the dotted key below ``data.contract``.
        columns: The columns it looks at.
        on_violation: What was declared for the case that it is broken.
        verdict: ``UNKNOWN`` where it could not be judged.
        wanted: What it asks, in words.
        got: What was found, in words.
        counts: Part of the split -> rows that break it, every part.
        examples: Some of these rows; none where a column is personal.
    """

    rule: str
    columns: tuple[str, ...]
    on_violation: OnViolation
    verdict: RuleVerdict
    wanted: str
    got: str
    counts: Mapping[str, int]
    examples: tuple[Example, ...] = ()

    @property
    def is_failing(self) -> bool:
        """Whether it rejects the data; a rule that was not judged does unless it only warns."""
        unknown = self.verdict == "UNKNOWN" and self.on_violation != "warn"
        return self.verdict == "FAIL" or unknown

    @property
    def n_rows(self) -> int:
        """Rows that break it."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        columns = f" ({', '.join(self.columns)})" if self.columns else ""
        text = f"{self.verdict} {self.rule}{columns}: {self.got}; wanted {self.wanted}"
        if self.counts:
            text += f"; rows: {', '.join(f'{part} {n}' for part, n in self.counts.items())}"
        if self.examples:
            text += f"; such as {', '.join(map(str, self.examples))}"
        return text

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `from_json`."""
        return {
            "rule": self.rule,
            "columns": list(self.columns),
            "on_violation": self.on_violation,
            "verdict": self.verdict,
            "wanted": self.wanted,
            "got": self.got,
            "n_rows": self.n_rows,
            "counts": dict(self.counts),
            "examples": [{"key": dict(e.key), "values": dict(e.values)} for e in self.examples],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`, but for the order of the examples' columns."""
        examples = tuple(
            Example("", tuple(e["key"].items()), tuple(e["values"].items()))
            for e in value["examples"]
        )
        return cls(
            value["rule"],
            tuple(value["columns"]),
            value["on_violation"],
            value["verdict"],
            value["wanted"],
            value["got"],
            _ordered(value["counts"]),
            examples,
        )


@dataclass(frozen=True, slots=True)
class ContractOutcome:
    """What came of a contract.

    Attributes:
        n_rows: Rows that are left, by part of the split.
        set_aside: Rows that rules set aside, by part of the split; each row once.
        rules: Every rule, in the order of the contract.
    """

    n_rows: Mapping[str, int]
    set_aside: Mapping[str, int]
    rules: tuple[RuleOutcome, ...]

    @property
    def verdict(self) -> ContractVerdict:
        """FAIL if a rule rejects the data, WARN if one was broken otherwise, else PASS."""
        if any(rule.is_failing for rule in self.rules):
            return "FAIL"
        return "PASS" if all(rule.verdict == "PASS" for rule in self.rules) else "WARN"

    def check(self) -> None:
        """Refuse data that break the contract.

        Raises:
            ContractError: A rule rejects the data; all of these are named.
        """
        failing = [rule for rule in self.rules if rule.is_failing]
        if failing:
            rules = "1 rule" if len(failing) == 1 else f"{len(failing)} rules"
            head = f"gate data_valid: the data break {rules} of their contract"
            raise ContractError("\n".join([head, *map(str, failing)]))

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/contract/v1``."""
        return {
            "verdict": self.verdict,
            "n_rows": dict(self.n_rows),
            "set_aside": dict(self.set_aside),
            "rules": [rule.to_json() for rule in self.rules],
        }

    def to_bytes(self) -> bytes:
        """As canonical JSON, for the store."""
        return canonical_bytes({"schema": OUTCOME_SCHEMA, **self.to_json()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ManifestError: The bytes are no outcome of version 1.
        """
        value = from_canonical(data)
        if not isinstance(value, dict) or value.get("schema") != OUTCOME_SCHEMA:
            raise ManifestError("not a contract's outcome", wanted=OUTCOME_SCHEMA)
        rules = tuple(RuleOutcome.from_json(rule) for rule in value["rules"])
        return cls(_ordered(value["n_rows"]), _ordered(value["set_aside"]), rules)


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    """In the order of the parts, which canonical JSON does not keep."""
    first = [name for name in SPLITS if name in counts]
    return {name: counts[name] for name in dict.fromkeys([*first, *sorted(counts)])}
