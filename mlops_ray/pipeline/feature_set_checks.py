"""Whether a feature set fits the pipeline that uses it, and examples the features they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.mistakes import nearest
from mlops_ray.errors import ColumnError, ConfigError, ConfigProblem, InvalidConfigError, Where
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set
    from pathlib import Path

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.data.schema import Schema
    from mlops_ray.features.feature_set import FeatureSet
    from mlops_ray.features.plan import FeatureSpec

__all__ = ["check_examples", "check_folds", "check_inputs", "check_set_functions"]


def check_inputs(feature_set: FeatureSet, schema: Schema, exclude: Set[str], where: Where) -> None:
    """Hold the inputs of a set against the columns of the data.

    Args:
        feature_set: The set.
        schema: Of the data.
        exclude: Columns with another role.
        where: Where the set is named.

    Raises:
        ColumnError: An input is absent or of another type.
        ConfigError: An input has another role.
    """
    for column, dtype in feature_set.inputs.items():
        if column not in schema:
            hint = nearest(column, schema)
            what = f"the feature set needs column {column!r}, which the input does not have"
            raise ColumnError(what, f"{len(schema)} columns", dtype, hint, where)
        if schema[column] != dtype:
            what = f"the feature set was fitted on another type of column {column!r}"
            hint = (
                f"declare data.columns: {{{column}: {{cast: {dtype}}}}}, or fit the features anew"
            )
            raise ColumnError(what, schema[column], dtype, hint, where)
        if column in exclude:
            roles = "the target, a key, an order, the time or a weight"
            what = f"column {column!r} is {roles}, not a feature"
            hint = "the feature set has it as an input: use another set, or another role"
            raise ConfigError(what, hint=hint, where=where)


def check_folds(
    feature_set: FeatureSet, key: Sequence[str], columns: Iterable[str], where: Where
) -> None:
    """Training rows have to fall into the folds that their encodings leave out.

    Args:
        feature_set: The set.
        key: Columns that deal the folds here; all that are read where there is none.
        columns: Those that are read.
        where: Where they are declared.

    Raises:
        ConfigError: The set has folds, and dealt them by other columns.
    """
    wanted = () if feature_set.folds is None else feature_set.folds.columns
    is_same = list(wanted) == list(key) if key else sorted(wanted) == sorted(columns)
    if feature_set.folds is not None and not is_same:
        raise ConfigError(
            "the feature set has target encodings whose folds go by another key",
            ", ".join(key or columns),
            ", ".join(wanted),
            "declare the key that the set was fitted with, or fit the features anew",
            where,
        )


def check_set_functions(feature_set: FeatureSet, root: Path, where: Where) -> None:
    """The project has to hold the functions that a set was fitted with.

    Raises:
        ConfigError: A file of a function is missing, or has other content.
    """
    for function in feature_set.functions:
        for path, wanted in function.files.items():
            file = root / path
            if not file.is_file() or digest(file.read_bytes()) != wanted:
                raise ConfigError(
                    f"the feature set was fitted with other code of {function.name!r}",
                    f"{path} is {'another one' if file.is_file() else 'missing'}",
                    "the file that the set was fitted with",
                    "bring it back, or fit the features anew",
                    where,
                )


def check_examples(loaded: LoadedConfig, features: Sequence[FeatureSpec]) -> None:
    """Every example has a value for each input, and for nothing else.

    Raises:
        InvalidConfigError: Some have not; all of them are listed.
    """
    problems = tuple(_example_problems(loaded, features))
    if problems:
        raise InvalidConfigError(problems)


def _example_problems(
    loaded: LoadedConfig, features: Sequence[FeatureSpec]
) -> Iterator[ConfigProblem]:
    inputs = list(dict.fromkeys(column for spec in features for column in spec.columns))
    for at, example in enumerate(loaded.config.feature_set.examples):
        path = ("feature_set", "examples", at, "record")
        for column in inputs:
            if column not in example.record:
                what, hint = f"the record lacks column {column!r}", "null is a missing value"
                yield ConfigProblem(what, hint=hint, where=loaded.document.where(path))
        for column in example.record:
            if column not in inputs:
                what, where = f"no feature uses {column!r}", loaded.document.where((*path, column))
                yield ConfigProblem(what, hint=nearest(column, inputs), where=where)
