"""The folds of a run, dealt to its training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.features.row_units import units_from_bytes
from mlops_ray.pipeline.prepared import labels_of, matrix_of
from mlops_ray.search.folds import check_folds, deal

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context
    from mlops_ray.search.folds import Fold

__all__ = ["dealt_folds"]


def dealt_folds(context: Context) -> list[Fold]:
    """Which rows are fitted on and which are scored, fold by fold; none where a split validates.

    Raises:
        DataError: On a fold nothing could be fitted or compared.
    """
    spec, rule = context.spec, context.spec.validation
    if rule is None:
        return []
    y = matrix_of(context, "train").y
    units = context.value(context.output("features.units"), units_from_bytes)
    is_stratified = rule.scheme == "k_fold" and spec.split.stratify
    folds = deal(rule, units, int(spec.seeds["validation"]), y if is_stratified else None)
    check_folds(folds, y, len(labels_of(context)), rule)
    return folds
