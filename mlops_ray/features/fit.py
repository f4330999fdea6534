"""Fitting: from the training rows' profile to the feature state. No row is read here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_ray.config.feature_steps import Impute, OneHot, Standardize
from mlops_ray.data.exact import ExactSum
from mlops_ray.data.profile import CategoryProfile, ColumnProfile, NumberProfile, Profile
from mlops_ray.errors import ColumnError, Where
from mlops_ray.features.state import CategoryInput, FeatureInput, FeatureState, NumberInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.counts import Value, ValueCounts
    from mlops_ray.features.plan import FeatureSpec

__all__ = ["fit_features"]


def fit_features(specs: Sequence[FeatureSpec], train: Profile) -> FeatureState:
    """The fitted state of the declared features.

    Means and variances come from exact sums and are rounded once, so they do not depend on how the
    rows were grouped. Standardizing after imputing counts the filled values, as
    ``sklearn.preprocessing.StandardScaler`` on imputed data does; a constant column gets scale 1.

    Args:
        specs: From `resolve_features`.
        train: Profile of the training rows and of no others.

    Raises:
        ColumnError: A column cannot be fitted: no values, no frequent category, or too many.
    """
    state = FeatureState(tuple(_fit(spec, train.columns[spec.column]) for spec in specs))
    names = state.outputs
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        hint = "rename one of the input columns"
        raise ColumnError("two features get one name", repr(double), hint=hint)
    return state


def _fit(spec: FeatureSpec, column: ColumnProfile) -> FeatureInput:
    if spec.kind == "category":
        (one_hot,) = (step for step in spec.steps if isinstance(step, OneHot))
        categories = _categories(spec.column, _counts(spec.column, column), one_hot)
        return CategoryInput(spec.column, spec.dtype, categories)
    sums = _sums(spec.column, column)
    fill = offset = scale = None
    for step in spec.steps:
        if isinstance(step, Impute):
            fill = sums.mean if step.value is None else step.value
            sums += ExactSum.of_constant(fill, column.n_null)
        elif isinstance(step, Standardize):
            offset, scale = sums.mean, math.sqrt(sums.variance) or 1.0
    return NumberInput(spec.column, spec.dtype, fill, offset, scale)


def _sums(name: str, column: ColumnProfile) -> ExactSum:
    if isinstance(column, NumberProfile):
        sums = column.sums
    else:
        counts = _counts(name, column).counts  # Booleans: the sum counts the true ones.
        sums = ExactSum.of_constant(0.0, counts.get(False, 0))
        sums += ExactSum.of_constant(1.0, counts.get(True, 0))
    if not sums.n:
        raise ColumnError(
            "the training rows hold no value to fit on",
            f"{column.n_null} nulls in {column.n_rows} rows",
            hint="leave the column out of the features",
            where=Where(key=name),
        )
    return sums


def _counts(name: str, column: ColumnProfile) -> ValueCounts:
    if isinstance(column, NumberProfile | CategoryProfile) and not column.counts.is_overflow:
        return column.counts
    raise ColumnError(
        "the column has too many distinct values to be told apart",
        hint="leave it out of the features or group its values in the data",
        where=Where(key=name),
    )


def _categories(name: str, counts: ValueCounts, step: OneHot) -> tuple[Value, ...]:
    frequent = [value for value, count in counts.counts.items() if count >= step.min_count]
    if not frequent:
        most = max(counts.counts.values(), default=0)
        raise ColumnError(
            "one_hot finds no category that is frequent enough",
            f"the commonest of {len(counts.counts)} stands {most} times in the training rows",
            f"at least min_count = {step.min_count}",
            "lower min_count or leave the column out",
            Where(key=name),
        )
    # `counts` is in the order of the values, and sorting is stable: ties go to the smaller value.
    commonest = sorted(frequent, key=lambda value: -counts.counts[value])[: step.max_categories]
    return tuple(sorted(commonest))
