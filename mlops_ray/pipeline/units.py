"""Which rows belong together, or come first, by what a spec declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.features.row_units import RowUnits
from mlops_ray.pipeline.stage_params import group_of

if TYPE_CHECKING:
    from mlops_ray.manifest import Spec

__all__ = ["drawn_units", "fold_units"]


def fold_units(spec: Spec) -> RowUnits | None:
    """What the training rows are dealt into folds by; None where they are not."""
    rule = spec.validation
    if rule is None:
        return None
    if rule.scheme == "time_series":
        return RowUnits((spec.data.time or "",), is_time=True)
    group = group_of(spec)
    return RowUnits((group,) if group else tuple(spec.data.key), int(spec.seeds["validation"]))


def drawn_units(spec: Spec) -> RowUnits | None:
    """Groups that are drawn for intervals; None where rows are, or nothing is."""
    group = group_of(spec)
    return RowUnits((group,)) if group and "bootstrap" in spec.seeds else None
