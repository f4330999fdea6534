"""The rules of a data contract beside the columns they look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.config.contract import CheckRule, FreshnessRule, PatternRule, TypeRule, UniqueRule
from mlops_ray.data.arrow_expression import expression_problem
from mlops_ray.data.expression import parse_expression
from mlops_ray.data.rule_values import as_bound, as_members

if TYPE_CHECKING:
    from mlops_ray.config.contract import ContractConfig, ContractRule, OnViolation
    from mlops_ray.data.schema import Schema

__all__ = ["WHOLE_KINDS", "CheckPlan", "Rule", "misfit"]

WHOLE_KINDS: Final = frozenset({"type", "unique", "rows", "freshness", "balance"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a contract.

    Attributes:
        name: Its dotted key below ``data.contract``, such as ``columns.age.range``.
        kind: What it asks, such as ``range``.
        columns: The columns it looks at.
        declared: As the pipeline file declares it.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    declared: ContractRule

    @property
    def on_violation(self) -> OnViolation:
        """What happens where it is broken."""
        return self.declared.on_violation

    @property
    def is_quarantine(self) -> bool:
        """Whether rows that break it are set aside."""
        return self.on_violation == "quarantine"

    @property
    def is_of_rows(self) -> bool:
        """Whether single rows break it."""
        return self.kind not in WHOLE_KINDS


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """All that decides whether data keep a contract; sent to every worker.

    Attributes:
        contract: The rules.
        target: The column that is predicted; None where there is none.
        time: The time column, if one is declared.
        as_of: When the data are judged, ISO 8601.
        key: Columns that tell a row from others, shown with an example.
        pii: Columns whose values are never shown.
    """

    contract: ContractConfig
    target: str | None = None
    time: str | None = None
    as_of: str | None = None
    key: tuple[str, ...] = ()
    pii: frozenset[str] = frozenset()

    @property
    def rules(self) -> list[Rule]:
        """Every rule, in the order of the contract."""
        return [self._rule(name, declared) for name, declared in self.contract.rules()]

    @property
    def columns(self) -> list[str]:
        """The columns that rules look at, whether the data have them or not."""
        return list(dict.fromkeys(name for rule in self.rules for name in rule.columns))

    def _rule(self, name: str, declared: ContractRule) -> Rule:
        area, _, rest = name.partition(".")
        if area == "columns":
            column, _, kind = rest.rpartition(".")
            return Rule(name, kind, (column,), declared)
        if isinstance(declared, CheckRule):
            return Rule(name, "check", parse_expression(declared.expression).columns, declared)
        if isinstance(declared, UniqueRule):
            return Rule(name, "unique", tuple(declared.columns), declared)
        if isinstance(declared, FreshnessRule):
            named = declared.column or self.time
            return Rule(name, "freshness", (named,) if named else (), declared)
        kind = rest if area == "labels" else area
        is_label = area == "labels" and self.target is not None
        return Rule(name, kind, (self.target or "",) if is_label else (), declared)


def misfit(rule: Rule, schema: Schema) -> str:
    """Why a rule cannot be judged on columns of these types; empty where it can.

    A type that is not the declared one is no misfit but what the rule is there to find.
    """
    if isinstance(rule.declared, TypeRule):
        return ""
    absent = [column for column in rule.columns if column not in schema]
    if absent:
        return f"there is no column {absent[0]!r}"
    return _misfit_of_type(rule, schema)


def _misfit_of_type(rule: Rule, schema: Schema) -> str:
    if isinstance(rule.declared, CheckRule):
        return expression_problem(parse_expression(rule.declared.expression), schema)
    dtype: Any = schema[rule.columns[0]] if rule.columns else None
    fits = True
    if isinstance(rule.declared, PatternRule):
        fits = dtype == "string"
    elif isinstance(rule.declared, FreshnessRule):
        fits = dtype in {"date", "timestamp"}
    elif rule.kind == "range":
        bounds = (rule.declared.min, rule.declared.max)  # type: ignore[union-attr]
        fits = all(as_bound(bound, dtype) is not None for bound in bounds if bound is not None)
    elif rule.kind in {"values", "classes"}:
        fits = as_members(rule.declared.allowed, dtype) is not None  # type: ignore[union-attr]
    return "" if fits else f"the column is of type {dtype}"
