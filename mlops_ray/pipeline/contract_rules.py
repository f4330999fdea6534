"""The declared contract held against the pipeline file and the schema, before a row is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.contract import CheckRule, PatternRule, TypeRule
from mlops_ray.config.loader import nearest
from mlops_ray.data.arrow_expression import expression_problem
from mlops_ray.data.contract_words import wanted_of
from mlops_ray.data.expression import parse_expression
from mlops_ray.data.row_rule import regex_problem
from mlops_ray.data.rule import CheckPlan, misfit
from mlops_ray.errors import ConfigError, ConfigProblem, ContractError, InvalidConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.contract import ContractRule
    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.config.model import DataConfig
    from mlops_ray.data.schema import Schema

__all__ = ["check_rules", "check_schema", "plan_of"]


def check_rules(loaded: LoadedConfig) -> None:
    """Refuse regular expressions and expressions that cannot be used, each with its place.

    Raises:
        InvalidConfigError: Lists all of them.
    """
    contract = loaded.config.data.contract
    rules = [] if contract is None else contract.rules()
    problems = tuple(problem for name, rule in rules for problem in _problems(loaded, name, rule))
    if problems:
        raise InvalidConfigError(problems)


def _problems(loaded: LoadedConfig, name: str, rule: ContractRule) -> Iterator[ConfigProblem]:
    where = loaded.document.where(_path(name))
    if isinstance(rule, PatternRule):
        problem = regex_problem(rule.regex)
        if problem:
            wanted = "the syntax of RE2: no look-around, no back-references"
            yield ConfigProblem("the regular expression cannot be used", problem, wanted, "", where)
    elif isinstance(rule, CheckRule):
        try:
            expression_problem(parse_expression(rule.expression), {})
        except ConfigError as error:
            yield ConfigProblem(error.what, error.got, error.wanted, error.hint, where)


def _path(name: str) -> tuple[str | int, ...]:
    """Path in the file of a rule; the name of a column may hold dots."""
    area, _, rest = name.partition(".")
    if area == "columns":
        column, _, kind = rest.rpartition(".")
        return ("data", "contract", area, column, kind)
    parts: tuple[str | int, ...] = tuple(int(p) if p.isdecimal() else p for p in name.split("."))
    return ("data", "contract", *parts)


def plan_of(data: DataConfig) -> CheckPlan | None:
    """What a pipeline file's data are held against; None without a contract."""
    if data.contract is None:
        return None
    pii = frozenset(name for name, column in data.columns.items() if column.pii)
    return CheckPlan(data.contract, data.target, data.time, data.as_of, tuple(data.key), pii)


def check_schema(loaded: LoadedConfig, schema: Schema) -> None:
    """Refuse data whose columns alone break the contract: absent, or of another type.

    Raises:
        ContractError: Names each rule that rejects them.
    """
    plan = plan_of(loaded.config.data)
    broken = [] if plan is None else [line for line in _broken(plan, schema) if line]
    if broken:
        raise ContractError(
            "\n".join(["gate data_valid: the columns of the data break the contract", *broken])
        )


def _broken(plan: CheckPlan, schema: Schema) -> Iterator[str]:
    for rule in plan.rules:
        reason: str = misfit(rule, schema)
        if isinstance(rule.declared, TypeRule):
            found = schema.get(rule.columns[0])
            reason = (
                "" if found == rule.declared.expected else f"type {found}" if found else "absent"
            )
        if reason and rule.on_violation != "warn":
            absent = [name for name in rule.columns if name not in schema]
            hint = f"; {nearest(absent[0], schema)}" if absent else ""
            named = f"FAIL {rule.name} ({', '.join(rule.columns)})"
            yield f"{named}: {reason}; wanted {wanted_of(rule)}{hint}"
