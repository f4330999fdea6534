"""The steps that a pipeline file may name: one file each, one line here.

A step declares its options, what it needs of the training rows, how it is fitted to plain JSON,
its arithmetic, and what it does with nulls, unseen categories and numbers out of range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.features.steps.bins import Bins
from mlops_ray.features.steps.clip import Clip
from mlops_ray.features.steps.date_parts import DateParts
from mlops_ray.features.steps.expression import Expression
from mlops_ray.features.steps.frequency import Frequency
from mlops_ray.features.steps.function import Function
from mlops_ray.features.steps.hashing import Hashing
from mlops_ray.features.steps.impute import Impute, IsNull
from mlops_ray.features.steps.interactions import Interactions
from mlops_ray.features.steps.log import Log
from mlops_ray.features.steps.min_max import MinMax
from mlops_ray.features.steps.one_hot import OneHot
from mlops_ray.features.steps.ordinal import Ordinal
from mlops_ray.features.steps.power import Power
from mlops_ray.features.steps.rare import Rare
from mlops_ray.features.steps.robust import Robust
from mlops_ray.features.steps.standardize import Standardize
from mlops_ray.features.steps.target import Target

if TYPE_CHECKING:
    from mlops_ray.features.steps.step import Step

__all__ = ["DECLARABLE", "STEPS"]

_ALL: Final[tuple[type[Step], ...]] = (
    Impute,
    IsNull,
    Standardize,
    MinMax,
    Robust,
    Log,
    Power,
    Clip,
    Bins,
    OneHot,
    Ordinal,
    Frequency,
    Rare,
    Hashing,
    Target,
    DateParts,
    Interactions,
    Expression,
    Function,
)

# Name -> step; the names of a pipeline file and of a fitted state.
STEPS: Final[dict[str, type[Step]]] = {cls.model_fields["step"].default: cls for cls in _ALL}
DECLARABLE: Final = frozenset(STEPS) - {"is_null"}
