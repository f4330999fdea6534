"""Judging a contract: from what the pass counted to a verdict on every rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from mlops_ray.config.contract import (
    BalanceRule,
    FreshnessRule,
    RowsRule,
    TypeRule,
    UniqueRule,
    as_time,
)
from mlops_ray.data.contract_outcome import ContractOutcome, RuleOutcome
from mlops_ray.data.contract_tally import Found
from mlops_ray.data.contract_words import wanted_of
from mlops_ray.data.repeated_keys import KeyLook, find_repeated_keys
from mlops_ray.data.rule import misfit
from mlops_ray.data.type_names import kind_of_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.contract import ContractRule
    from mlops_ray.data.contract_outcome import RuleVerdict
    from mlops_ray.data.contract_tally import ContractTally
    from mlops_ray.data.rule import CheckPlan, Rule
    from mlops_ray.data.scan import ScanPlan
    from mlops_ray.data.scan_result import Scan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["judge_scan"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class _Judge:
    """What the verdicts are made of.

    Attributes:
        plan: The contract.
        schema: Of the data.
        tally: What the pass counted.
        n_rows: Rows that are left, by part.
    """

    plan: CheckPlan
    schema: Schema
    tally: ContractTally
    n_rows: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.n_rows.values())


def judge_scan(
    found: Scan, plan: ScanPlan, units: Sequence[Unit], unit_map: UnitMap
) -> ContractOutcome | None:
    """The verdict on every rule; None where the pass was given no contract.

    Keys that the pass could not prove unique are read again.

    Args:
        found: What the pass found.
        plan: The one it had.
        units: Its units.
        unit_map: Runs what is left to do.

    Raises:
        SourceError: A file cannot be read again.
    """
    if plan.check is None:
        return None
    n_rows = {part: profile.n_rows for part, profile in found.profiles.items()}
    judge = _Judge(plan.check, plan.schema, found.contract, n_rows)
    rules = []
    for rule in plan.check.rules:
        reason = misfit(rule, plan.schema)
        if isinstance(rule.declared, BalanceRule) and not found.contract.classes:
            reason = reason or "the target has none of the declared classes' type"
        if reason:
            rules.append(_outcome(rule, "UNKNOWN", f"not judged: {reason}", {}))
        elif isinstance(rule.declared, UniqueRule):
            repeated = _repeated(judge, rule, plan, units, unit_map)
            rules.append(_of_counts(judge, rule, repeated))
        elif rule.is_of_rows:
            rules.append(_of_counts(judge, rule, judge.tally.found.get(rule.name, Found())))
        else:
            rules.append(_of_whole(judge, rule))
    return ContractOutcome(n_rows, dict(judge.tally.set_aside), tuple(rules))


def _repeated(
    judge: _Judge, rule: Rule, plan: ScanPlan, units: Sequence[Unit], unit_map: UnitMap
) -> Found:
    if judge.tally.zones[rule.name].is_unique:
        return Found()
    n_rows = judge.total + sum(judge.tally.set_aside.values())
    look = KeyLook(plan.schema, rule.columns, judge.plan, plan.split, plan.groups[0])
    return find_repeated_keys(look, units, n_rows, unit_map)


def _outcome(
    rule: Rule,
    verdict: RuleVerdict,
    got: str,
    counts: Mapping[str, int],
    found: Found | None = None,
) -> RuleOutcome:
    return RuleOutcome(
        rule.name,
        rule.columns,
        rule.on_violation,
        verdict,
        wanted_of(rule),
        got,
        counts,
        () if found is None else found.examples,
    )


def _broken(rule: Rule) -> RuleVerdict:
    return "WARN" if rule.on_violation == "warn" else "FAIL"


def _of_counts(judge: _Judge, rule: Rule, found: Found) -> RuleOutcome:
    """A rule that rows break; rows set aside are counted beside those that are left."""
    counts = {part: found.counts.get(part, 0) for part in (*judge.n_rows, *sorted(found.counts))}
    if rule.is_quarantine:
        verdict: RuleVerdict = "QUARANTINED" if found.n_rows else "PASS"
        return _outcome(rule, verdict, f"{found.n_rows} rows set aside", counts, found)
    is_kept = found.n_rows <= _tolerated(rule.declared, judge.total)
    got = f"{found.n_rows} of {judge.total} rows"
    return _outcome(rule, "PASS" if is_kept else _broken(rule), got, counts, found)


def _tolerated(declared: ContractRule, total: int) -> Fraction | int:
    share, count = getattr(declared, "max_share", None), getattr(declared, "max_count", None)
    if share is not None:
        return Fraction(str(share)) * total  # As it is written: three of ten are 0.3.
    return count or 0


def _of_whole(judge: _Judge, rule: Rule) -> RuleOutcome:
    declared = rule.declared
    if isinstance(declared, TypeRule):
        found: str | None = judge.schema.get(rule.columns[0])
        is_kept = found is not None and kind_of_name(found) == declared.expected
        got = "no such column" if found is None else f"type {found}"
        counts = dict.fromkeys(judge.n_rows, 0) if is_kept else dict(judge.n_rows)
    elif isinstance(declared, RowsRule):
        low, high = declared.min, declared.max
        is_kept = (low is None or judge.total >= low) and (high is None or judge.total <= high)
        got, counts = f"{judge.total} rows", dict(judge.n_rows)
    elif isinstance(declared, FreshnessRule):
        is_kept, got = _freshness(judge, declared)
        counts = dict(judge.n_rows)
    elif isinstance(declared, BalanceRule):
        is_kept, got = _balance(judge, declared)
        counts = dict(judge.n_rows)
    else:
        raise TypeError(f"{rule.name} is no rule of the whole")
    return _outcome(rule, "PASS" if is_kept else _broken(rule), got, counts)


def _freshness(judge: _Judge, rule: FreshnessRule) -> tuple[bool, str]:
    newest = judge.tally.newest
    if newest is None:
        return False, "no value"
    as_of = as_time(judge.plan.as_of or "")
    age_us = (
        round(
            ((as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)) - _EPOCH).total_seconds() * 1e6
        )
        - newest
    )
    age_days = age_us / 1e6 / _DAY_S
    return age_days <= rule.max_age_days, f"the newest is {age_days:.6g} days old"


def _balance(judge: _Judge, rule: BalanceRule) -> tuple[bool, str]:
    """The worst class of the worst part."""
    allowed = judge.plan.contract.labels.classes.allowed  # type: ignore[union-attr]
    low, high = rule.min_share, rule.max_share
    worst: tuple[float, str] = (0.0, "every class within bounds")
    for part, counts in judge.tally.classes.items():
        total = sum(counts)
        for value, n in zip(allowed, counts, strict=True):
            share = n / total if total else 0.0
            beyond = max(0.0 if low is None else low - share, 0.0 if high is None else share - high)
            if total and beyond > worst[0]:
                worst = (beyond, f"class {value!r} has {n} of {total} rows of {part}")
    return worst[0] <= 0.0, worst[1]
