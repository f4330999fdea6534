"""Holds the columns that a pipeline file names against those of its data."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mlops_ray.config.declared_secrets import first_secret
from mlops_ray.config.loader import nearest
from mlops_ray.data.type_names import is_nested
from mlops_ray.errors import ColumnError, ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.config.loader import LoadedConfig
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.features.feature_set import FeatureSet

__all__ = [
    "check_present",
    "check_recorded_names",
    "declared_casts",
    "place_of",
    "special_columns",
    "used_columns",
]


def place_of(loaded: LoadedConfig, key: str) -> Where:
    """Line and column of a dotted key."""
    parts = key.split(".")
    return loaded.document.where(tuple(int(p) if p.isdecimal() else p for p in parts))


def declared_casts(loaded: LoadedConfig) -> dict[str, LogicalType]:
    """Columns whose type the pipeline file declares."""
    columns = loaded.config.data.columns.items()
    return {name: column.cast for name, column in columns if column.cast is not None}


def special_columns(loaded: LoadedConfig) -> dict[str, str]:
    """Place in the file -> column, for all columns that are no features."""
    data = loaded.config.data
    return {
        "data.target": data.target,
        **{f"data.key.{i}": name for i, name in enumerate(data.key)},
        **{f"data.order_by.{i}": name for i, name in enumerate(data.order_by)},
        **({"data.time": data.time} if data.time else {}),
        **({"data.weight": data.weight} if data.weight else {}),
        **({"split.group": group} if (group := loaded.config.split.group) else {}),
        **({"validation.group": own} if (own := loaded.config.validation.group) else {}),
    }


def check_present(loaded: LoadedConfig, special: dict[str, str], schema: Schema) -> None:
    """Hold the columns that have a role, or a declaration, against those of the input.

    Raises:
        ColumnError: One is absent, or has a role and holds more than one value a row.
    """
    declared = {f"data.columns.{name}": name for name in loaded.config.data.columns}
    for place, column in {**special, **declared}.items():
        if column not in schema:
            raise ColumnError(
                f"the input has no column {column!r}",
                f"{len(schema)} columns",
                hint=nearest(column, schema),
                where=place_of(loaded, place),
            )
        if place in special and is_nested(schema[column]):
            raise ColumnError(
                f"column {column!r} holds lists, structs or maps",
                schema[column],
                "one value a row",
                "name another column, or write what is meant as a column of its own",
                place_of(loaded, place),
            )


def used_columns(loaded: LoadedConfig, schema: Schema, feature_set: FeatureSet | None) -> list[str]:
    """The target and whatever a feature group, or a set, names."""
    config = loaded.config
    patterns = [pattern for group in config.features for pattern in group.columns]
    patterns += [] if feature_set is None else feature_set.inputs
    return [
        column
        for column in schema
        if column == config.data.target
        or column in patterns
        or any(fnmatchcase(column, pattern) for pattern in patterns)
    ]


def check_recorded_names(files: Iterable[str], columns: Iterable[str]) -> None:
    """Refuse names that a record must not show.

    Raises:
        ConfigError: One of them seems to hold a secret.
    """
    found = first_secret({"file": list(files), "column": list(columns)})
    if found is not None:
        raise ConfigError(
            f"the name of a {found[0][0]} of the input seems to hold a secret",
            found[1],
            "names that may be recorded",
            f"rename the {found[0][0]}",
            Where(key="data.source"),
        )
