"""The data contract: what has to hold of the data before anything is fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from mlops_ray.data.column_profile import CategoryProfile, NumberProfile
from mlops_ray.data.histogram import Histogram
from mlops_ray.data.split import SPLITS
from mlops_ray.errors import ColumnError, DataError, Where

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mlops_ray.config.model import Task
    from mlops_ray.data.column_profile import ColumnProfile
    from mlops_ray.data.counts import Value
    from mlops_ray.data.profile import Profile
    from mlops_ray.data.scan_result import Scan
    from mlops_ray.data.schema import LogicalType, Schema

__all__ = ["DeclaredTarget", "check_contract", "check_target_type", "class_labels"]

_CLASS_TYPES: Final = frozenset({"integer", "string", "boolean"})
_VALUE_TYPES: Final = frozenset({"integer", "float", "decimal"})
_OTHER_ROWS: Final = "declare another 'data.target', or a split whose training rows differ in it"
_LARGEST: Final = float(np.finfo(np.float32).max)  # Matrices are float32; more would be infinite.
_FIRST_BEYOND: Final = Histogram.of(np.array([2.0**128])).buckets[0]


class DeclaredTarget(Protocol):
    """What a pipeline file, or a frozen spec, says of the target."""

    @property
    def task(self) -> Task:
        """What is predicted."""

    @property
    def target(self) -> str:
        """The column that is predicted."""


def check_target_type(schema: Schema, data: DeclaredTarget) -> None:
    """Check, before the pass if need be, that the target's type fits the task.

    Raises:
        ColumnError: Classes are not integers, text or booleans, or a regression's values no
            numbers.
    """
    allowed = _VALUE_TYPES if data.task == "regression" else _CLASS_TYPES
    found: LogicalType = schema[data.target]
    if found not in allowed:
        what = f"the target's type does not fit the task {data.task!r}"
        hint = "cast the target in the data, or declare another task"
        wanted = " or ".join(sorted(allowed))
        raise ColumnError(what, found, wanted, hint, Where(key=data.target))


def check_contract(
    scan: Scan,
    data: DeclaredTarget,
    features: Iterable[str],
    parts: Sequence[str] = SPLITS,
    pii: Collection[str] = (),
) -> None:
    """Check what the pass found: parts, target and feature columns.

    Args:
        scan: Of data with a split.
        data: Task and target.
        features: Names of the feature columns.
        parts: Parts of the split that need rows; one that is not declared has none.
        pii: Columns whose values are not told.

    Raises:
        DataError: A part of the split has no rows.
        ColumnError: The target or a feature cannot be used; names the column and the counts.
    """
    check_target_type(scan.schema, data)
    _check_parts(scan, parts)
    for name in SPLITS:
        _check_target(scan.profiles[name].columns[data.target], data, name)
    is_private = data.target in pii
    if data.task == "regression":
        _check_varies(scan.profiles["train"].columns[data.target], data.target, is_private)
    else:
        _check_classes(scan, data, is_private)
    _check_float32(scan, data.target, "the target")
    for column in features:
        _check_feature(scan.profiles["train"], column)
        _check_extremes(scan, column)
        _check_float32(scan, column, "the feature column")


def class_labels(scan: Scan, target: str) -> list[Value]:
    """The classes of the training rows in their order: a class' index is its place here."""
    return list(_class_counts(scan.profiles["train"].columns[target], target))


def _check_parts(scan: Scan, parts: Sequence[str]) -> None:
    counts = {name: scan.profiles[name].n_rows for name in parts}
    empty = [name for name, n_rows in counts.items() if not n_rows]
    if empty:
        got = ", ".join(f"{name} {n_rows}" for name, n_rows in counts.items())
        what = f"the split leaves no rows to {' and '.join(empty)}"
        hint = "change the shares or 'time_from' in 'split'"
        raise DataError(what, f"{got} rows", "rows in each part", hint, Where(key="split"))


def _check_target(column: ColumnProfile, data: DeclaredTarget, part: str) -> None:
    n_extreme = column.n_extreme if isinstance(column, NumberProfile) else 0
    for n_bad, what in ((column.n_null, "nulls"), (n_extreme, "infinite or huge values")):
        if n_bad:
            raise ColumnError(
                f"the target holds {what}",
                f"{n_bad} in the {column.n_rows} rows of {part}",
                "none",
                "drop these rows from the data",
                Where(key=data.target),
            )


def _check_varies(column: ColumnProfile, target: str, is_private: bool) -> None:
    if isinstance(column, NumberProfile) and column.minimum == column.maximum:
        value = _told(column.minimum, is_private)
        got = f"{value} in all {column.n_rows} training rows"
        wanted, where = "at least 2 values", Where(key=target)
        raise ColumnError("the target is constant", got, wanted, _OTHER_ROWS, where)


def _told(value: object, is_private: bool) -> str:
    return "one value" if is_private else repr(value)


def _check_classes(scan: Scan, data: DeclaredTarget, is_private: bool) -> None:
    where = Where(key=data.target)
    train = _class_counts(scan.profiles["train"].columns[data.target], data.target)
    shown = ", ".join(
        f"{_told(value, is_private)}: {count}" for value, count in list(train.items())[:5]
    )
    if len(train) < 2:
        got, wanted = f"training rows {shown}", "2 classes"
        raise ColumnError("the target is constant", got, wanted, _OTHER_ROWS, where)
    if data.task == "binary" and len(train) != 2:
        got = f"{len(train)} classes in the training rows ({shown}, ...)"
        raise ColumnError("the target is not binary", got, "2", "declare task: multiclass", where)
    for part in ("valid", "test"):
        there = _class_counts(scan.profiles[part].columns[data.target], data.target)
        unknown = {value: count for value, count in there.items() if value not in train}
        if unknown:
            value, count = next(iter(unknown.items()))
            got = f"{_told(value, is_private)} in {count} rows of {part}, in none of train"
            hint = "drop the rows of this class or split otherwise"
            raise ColumnError("a class is unknown in training", got, "", hint, where)


def _class_counts(column: ColumnProfile, target: str) -> dict[Value, int]:
    if isinstance(column, NumberProfile | CategoryProfile) and not column.counts.is_overflow:
        return dict(column.counts.counts)
    what = "the target has too many distinct values for classes"
    raise ColumnError(what, hint="declare task: regression", where=Where(key=target))


def _check_feature(train: Profile, name: str) -> None:
    column = train.columns[name]
    if column.n_null == column.n_rows:
        got = f"{column.n_null} nulls in {column.n_rows} training rows"
        hint = "leave it out of the features"
        raise ColumnError("the feature column is all null", got, "values", hint, Where(key=name))


def _check_extremes(scan: Scan, name: str) -> None:
    for part, profile in scan.profiles.items():
        column = profile.columns[name]
        if isinstance(column, NumberProfile) and column.n_extreme:
            got = f"{column.n_extreme} in the {column.n_rows} rows of {part}"
            hint = "write null for a missing value, or drop these rows"
            what = "the feature column holds infinite or huge values"
            raise ColumnError(what, got, "finite numbers", hint, Where(key=name))


def _check_float32(scan: Scan, name: str, role: str) -> None:
    for part, profile in scan.profiles.items():
        column = profile.columns[name]
        if not isinstance(column, NumberProfile):
            continue
        worst = max((column.minimum or 0.0, column.maximum or 0.0), key=abs)
        if abs(worst) > _LARGEST:
            got = f"{worst:g}, at least {_n_beyond(column)} such in the {column.n_rows} rows"
            hint = "write the column in a larger unit, or drop these rows"
            wanted = f"at most {_LARGEST:.4g} in magnitude"
            what = f"{role} holds values too large for float32"
            raise ColumnError(what, f"{got} of {part}", wanted, hint, Where(key=name))


def _n_beyond(column: NumberProfile) -> int:
    """Values of 2^128 and more in magnitude; at least the one that was found."""
    buckets, counts = column.histogram.buckets, column.histogram.counts
    n = int(counts[(buckets >= _FIRST_BEYOND) | (buckets < -_FIRST_BEYOND)].sum())
    return max(n, 1)
