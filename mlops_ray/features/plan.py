"""From the declared feature groups to one ordered list of features with their steps."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from mlops_ray.config.feature_steps import StepDeclaration
from mlops_ray.errors import ColumnError, ConfigError, Where
from mlops_ray.features.declaration import read_step
from mlops_ray.features.misfit import end_of, kinds_of, misfit
from mlops_ray.features.steps.step import (
    CategoryStep,
    FeatureKind,
    JointStep,
    Kind,
    NumberStep,
    Step,
    TimeStep,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set

    from mlops_ray.config.feature_steps import FeatureGroup
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.manifest import FeatureDeclaration

__all__ = ["FeatureSpec", "further_passes", "input_dtype", "resolve_features", "specs_of"]

_WILDCARDS: Final = frozenset("*?[")
_RESULTS: Final = frozenset({"number", "indicator"})  # What a feature may end as.


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature: a column, or several that a step joins, and what is done to them.

    Attributes:
        columns: Names of the input columns.
        dtypes: Their logical types; of decimals ``float``, since that is what they are given as.
        kind: Whether values are measured, told apart, or times.
        steps: The declared steps, in order, with all defaults.
        name: Of a joint feature; else the column.
    """

    columns: tuple[str, ...]
    dtypes: tuple[LogicalType, ...]
    kind: FeatureKind
    steps: tuple[Step, ...]
    name: str

    @property
    def column(self) -> str:
        """The column, or the first of several."""
        return self.columns[0]

    @property
    def dtype(self) -> LogicalType:
        """Logical type of `column`."""
        return self.dtypes[0]

    @property
    def is_joint(self) -> bool:
        """Whether a step takes several columns."""
        return any(isinstance(step, JointStep) for step in self.steps)

    @property
    def category_steps(self) -> list[CategoryStep]:
        """The first steps, as long as they take categories."""
        found: list[CategoryStep] = []
        kind: Kind | None = self.kind
        for step in self.steps:
            if kind != "category" or not isinstance(step, CategoryStep):
                break
            found.append(step)
            kind = step.gives(kind)
        return found


def resolve_features(
    groups: Sequence[FeatureGroup], schema: Schema, exclude: Set[str]
) -> list[FeatureSpec]:
    """The features in the order they are declared.

    A glob takes, in the order of the data, the columns that are neither excluded nor named before.
    A group with a step that joins its columns is one feature, and its columns may stand elsewhere
    too.

    Args:
        groups: As declared.
        schema: Of the data.
        exclude: Columns with another role: target, key, order and time.

    Raises:
        ConfigError: A column is absent, named twice or has another role, a glob takes nothing, or a
            step cannot be read.
        ColumnError: A step does not fit the column's type.
    """
    steps = [_steps(group, at) for at, group in enumerate(groups)]
    joins = [any(isinstance(step, JointStep) for step in found) for found in steps]
    single = [group for group, joint in zip(groups, joins, strict=True) if not joint]
    named = {name for group in single for name in group.columns if not _is_glob(name, schema)}
    specs: list[FeatureSpec] = []
    taken: set[str] = set()
    for at, group in enumerate(groups):
        where = Where(key=f"features.{at}.columns")
        free = exclude if joins[at] else exclude | named | taken
        columns = _columns(group, schema, exclude, free, where)
        if joins[at]:
            specs.append(_joint(columns, schema, steps[at], where))
            continue
        for column in columns:
            if column in taken:
                raise ConfigError("a feature column is named twice", repr(column), where=where)
            taken.add(column)
            specs.append(_spec(column, schema[column], steps[at], where))
    return specs


def input_dtype(dtype: LogicalType) -> LogicalType:
    """The type in which a model takes values of a column.

    Example:
        >>> input_dtype("decimal"), input_dtype("date")
        ('float', 'date')
    """
    return "float" if dtype == "decimal" else dtype


def specs_of(declared: Sequence[FeatureDeclaration], schema: Schema) -> list[FeatureSpec]:
    """Features as they stand in a spec, or in a feature set."""
    return [_declared_spec(feature, schema) for feature in declared]


def _declared_spec(declared: FeatureDeclaration, schema: Schema) -> FeatureSpec:
    columns = tuple(declared.columns)
    dtypes = tuple(input_dtype(schema[column]) for column in columns)
    steps = tuple(read_step(StepDeclaration.model_validate(step)) for step in declared.steps)
    return FeatureSpec(columns, dtypes, declared.kind, steps, declared.column)


def further_passes(specs: Sequence[FeatureSpec]) -> int:
    """Passes over the training rows, after that of the profile, that fitting takes at most.

    Exact quantiles of an integer column with few distinct values are counted already, which only
    the data can show: then there is one less.
    """
    return max((_rounds(spec) for spec in specs), default=0)


def _rounds(spec: FeatureSpec) -> int:
    first = spec.category_steps
    rounds = sum(step.needs_target for step in first)
    is_known = spec.kind != "time" and not rounds  # Of what the next step takes: its statistics,
    is_counted = bool(first) or set(spec.dtypes) == {"boolean"}  # and each distinct value.
    for step in spec.steps[len(first) :]:
        if isinstance(step, NumberStep):
            if (step.needs_statistics or step.exact_quantiles) and not is_known:
                rounds, is_known, is_counted = rounds + 1, True, False
            rounds += bool(step.exact_quantiles) and not is_counted
            is_known &= step.keeps_statistics
        else:
            is_known = False
    return rounds


def _steps(group: FeatureGroup, at: int) -> tuple[Step, ...]:
    return tuple(
        read_step(declared, f"features.{at}.steps.{number}")
        for number, declared in enumerate(group.steps)
    )


def _is_glob(pattern: str, schema: Schema) -> bool:
    return pattern not in schema and bool(_WILDCARDS & set(pattern))


def _columns(
    group: FeatureGroup, schema: Schema, exclude: Set[str], not_free: Set[str], where: Where
) -> list[str]:
    columns: list[str] = []
    for pattern in group.columns:
        if _is_glob(pattern, schema):
            free = [column for column in schema if column not in not_free | set(columns)]
            columns += _matching(pattern, free, where)
        elif pattern in columns:
            raise ConfigError("a feature column is named twice", repr(pattern), where=where)
        else:
            columns.append(_named(pattern, schema, exclude, where))
    return columns


def _matching(pattern: str, free: list[str], where: Where) -> list[str]:
    columns = [column for column in free if fnmatchcase(column, pattern)]
    if not columns:
        hint = f"columns that are free: {', '.join(free[:20]) or 'none'}"
        raise ConfigError("no feature column matches", repr(pattern), hint=hint, where=where)
    return columns


def _named(column: str, schema: Schema, exclude: Set[str], where: Where) -> str:
    if column not in schema:
        near = get_close_matches(column, schema, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(list(schema)[:20])}"
        raise ConfigError("no such column", repr(column), hint=hint, where=where)
    if column in exclude:
        what = (
            f"column {column!r} is the target, a key, an order, the time or a weight, not a feature"
        )
        raise ConfigError(what, hint="copy it in the data if it is both", where=where)
    return column


def _spec(column: str, dtype: LogicalType, steps: tuple[Step, ...], where: Where) -> FeatureSpec:
    kind = next((kind for kind in kinds_of(dtype) if end_of(kind, steps) in _RESULTS), None)
    if kind is None:
        raise misfit(column, dtype, steps, where)
    first = steps[0] if steps else None
    if kind == "category" and isinstance(first, CategoryStep) and first.unsuited(dtype):
        what = f"step {first.step!r} does not suit column {column!r}"
        raise ColumnError(what, first.unsuited(dtype), f"values of type {dtype}", where=where)
    if isinstance(first, TimeStep):
        with _placed(where):
            first.fit(dtype, column)
    return FeatureSpec((column,), (input_dtype(dtype),), kind, steps, column)


def _joint(
    columns: list[str], schema: Schema, steps: tuple[Step, ...], where: Where
) -> FeatureSpec:
    for column in columns:
        if "number" not in kinds_of(schema[column]) or end_of("number", steps) is None:
            raise misfit(column, schema[column], steps, where)
    first = next(at for at, step in enumerate(steps) if isinstance(step, JointStep))
    joint = steps[first]
    keep_names = all(type(step).names is NumberStep.names for step in steps[:first])  # type: ignore[attr-defined]
    if isinstance(joint, JointStep) and keep_names:
        with _placed(where):
            joint.fit(columns)
    names = [step.named for step in steps if isinstance(step, JointStep) and step.named]
    name = names[0] if names else "*".join(columns)
    dtypes = tuple(input_dtype(schema[column]) for column in columns)
    return FeatureSpec(tuple(columns), dtypes, "number", steps, name)


@contextmanager
def _placed(where: Where) -> Iterator[None]:
    """What a step says of its columns before anything is read has a place in the file."""
    try:
        yield
    except ColumnError as error:
        raise ColumnError(error.what, error.got, error.wanted, error.hint, where) from None
