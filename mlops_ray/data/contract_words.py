"""What a rule asks, in words that stand beside what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.contract import (
    BalanceRule,
    CheckRule,
    FreshnessRule,
    NullsRule,
    PatternRule,
    RangeRule,
    RowsRule,
    TypeRule,
    UniqueRule,
    ValuesRule,
)

if TYPE_CHECKING:
    from mlops_ray.data.rule import Rule

__all__ = ["wanted_of"]

_N_SHOWN = 10


def wanted_of(rule: Rule) -> str:
    """What a rule asks, with its tolerance.

    Example:
        >>> from mlops_ray.data.rule import Rule
        >>> declared = RangeRule(min=0, max=120, max_share=0.01)
        >>> wanted_of(Rule("columns.age.range", "range", ("age",), declared))
        'between 0 and 120, in all rows but a share of 0.01'
    """
    declared = rule.declared
    share, count = getattr(declared, "max_share", None), getattr(declared, "max_count", None)
    text = _asked(rule)
    if isinstance(declared, BalanceRule):
        return text
    if share:
        return f"{text}, in all rows but a share of {share:g}"
    return f"{text}, in all rows but {count}" if count else text


def _asked(rule: Rule) -> str:  # noqa: C901, PLR0911 - one line a kind of rule
    match rule.declared:
        case TypeRule(expected=expected):
            return f"type {expected}"
        case NullsRule():
            return "a value"
        case RangeRule(min=low, max=high):
            return _between(low, high)
        case ValuesRule(allowed=allowed):
            shown = ", ".join(map(repr, allowed[:_N_SHOWN]))
            more = f", ... ({len(allowed)} values)" if len(allowed) > _N_SHOWN else ""
            return f"one of {shown}{more}"
        case PatternRule(regex=regex):
            return f"text like {regex!r}"
        case CheckRule(expression=expression):
            return expression
        case UniqueRule(columns=columns):
            return f"one row for each {', '.join(columns)}"
        case RowsRule(min=low, max=high):
            return f"{_between(low, high)} rows"
        case FreshnessRule(max_age_days=days):
            return f"at most {days:g} days at data.as_of"
        case BalanceRule(min_share=low, max_share=high):
            return f"a share of {_between(low, high)} for each class in each part"
    raise TypeError(f"unknown rule {rule.name}")


def _between(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"
