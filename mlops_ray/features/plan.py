"""From the declared feature groups to one ordered list of feature columns with their steps."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlops_ray.config.feature_steps import FeatureGroup, Impute, OneHot, Standardize, Step
from mlops_ray.errors import ColumnError, ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from mlops_ray.data.schema import LogicalType, Schema

__all__ = ["FeatureKind", "FeatureSpec", "resolve_features"]

FeatureKind: TypeAlias = Literal["number", "category"]

_WILDCARDS: Final = frozenset("*?[")
_NUMBER_TYPES: Final = frozenset({"integer", "float", "boolean"})
_CATEGORY_TYPES: Final = frozenset({"string", "integer", "boolean"})
_NUMBER_ORDERS: Final[tuple[tuple[type[Step], ...], ...]] = (
    (),
    (Impute,),
    (Standardize,),
    (Impute, Standardize),
)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature column and what is done to it.

    Attributes:
        column: Name of the input column.
        dtype: Its logical type.
        kind: Whether its values are measured or told apart.
        steps: The declared steps, in order.
    """

    column: str
    dtype: LogicalType
    kind: FeatureKind
    steps: tuple[Step, ...]


def resolve_features(
    groups: Sequence[FeatureGroup], schema: Schema, exclude: Set[str]
) -> list[FeatureSpec]:
    """The feature columns in the order they are declared.

    A glob takes, in the order of the data, the columns that are neither excluded nor named before.

    Args:
        groups: As declared.
        schema: Of the data.
        exclude: Columns with another role: target, key, order and time.

    Raises:
        ConfigError: A column is absent, named twice or has another role, or a glob takes nothing.
        ColumnError: A step does not fit the column's type.
    """
    named = {name for group in groups for name in group.columns if not _is_glob(name, schema)}
    specs: dict[str, FeatureSpec] = {}
    for at, group in enumerate(groups):
        for pattern in group.columns:
            where = Where(key=f"features.{at}.columns")
            if _is_glob(pattern, schema):
                free = [c for c in schema if c not in exclude | named | specs.keys()]
                columns = _matching(pattern, free, where)
            else:
                columns = [_named(pattern, schema, exclude, specs, where)]
            for column in columns:
                specs[column] = _spec(column, schema[column], tuple(group.steps), where)
    return list(specs.values())


def _is_glob(pattern: str, schema: Schema) -> bool:
    return pattern not in schema and bool(_WILDCARDS & set(pattern))


def _matching(pattern: str, free: list[str], where: Where) -> list[str]:
    columns = [column for column in free if fnmatchcase(column, pattern)]
    if not columns:
        hint = f"columns that are free: {', '.join(free[:20]) or 'none'}"
        raise ConfigError("no feature column matches", repr(pattern), hint=hint, where=where)
    return columns


def _named(
    column: str, schema: Schema, exclude: Set[str], specs: dict[str, FeatureSpec], where: Where
) -> str:
    if column not in schema:
        near = get_close_matches(column, schema, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(list(schema)[:20])}"
        raise ConfigError("no such column", repr(column), hint=hint, where=where)
    if column in exclude:
        what = f"column {column!r} is the target, a key, an order or the time, not a feature"
        raise ConfigError(what, hint="copy it in the data if it is both", where=where)
    if column in specs:
        raise ConfigError("a feature column is named twice", repr(column), where=where)
    return column


def _spec(column: str, dtype: LogicalType, steps: tuple[Step, ...], where: Where) -> FeatureSpec:
    kinds = tuple(type(step) for step in steps)
    if kinds == (OneHot,) and dtype in _CATEGORY_TYPES:
        return FeatureSpec(column, dtype, "category", steps)
    if kinds in _NUMBER_ORDERS and dtype in _NUMBER_TYPES:
        return FeatureSpec(column, dtype, "number", steps)
    given = ", ".join(step.step for step in steps) or "no step"
    raise ColumnError(
        f"the steps do not fit column {column!r}",
        f"{given} on a column of type {dtype}",
        _wanted(dtype),
        "change its steps or leave it out of the features",
        where,
    )


def _wanted(dtype: LogicalType) -> str:
    ways = []
    if dtype in _NUMBER_TYPES:
        ways.append("impute and then standardize, one of them, or none")
    if dtype in _CATEGORY_TYPES:
        ways.append("one_hot alone")
    return "; or ".join(ways) or "a number, text or boolean: a time is no feature by itself"
