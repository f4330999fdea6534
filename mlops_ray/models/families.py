"""The estimator families a pipeline file may name."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ModelError
from mlops_ray.models.hist_gradient_boosting_family import HistGradientBoostingFamily
from mlops_ray.models.linear_family import LinearFamily
from mlops_ray.models.project_family import ProjectFamily
from mlops_ray.models.sklearn_estimator_family import SKLEARN_PREFIX, sklearn_family
from mlops_ray.models.xgboost_family import XGBoostFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.models.estimator import Family

__all__ = ["FAMILIES", "family_named"]

_ALL: Final[tuple[Family, ...]] = (HistGradientBoostingFamily(), LinearFamily(), XGBoostFamily())

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({family.name: family for family in _ALL})


def family_named(name: str) -> Family:
    """The family of that name.

    ``sklearn:CLASS`` is a class of scikit-learn, any other ``module:CLASS`` one of the project.

    Raises:
        ModelError: There is none.

    Example:
        >>> family_named("linear").accepts_missing
        False
    """
    if name.startswith(SKLEARN_PREFIX):
        return sklearn_family(name.removeprefix(SKLEARN_PREFIX))
    if ":" in name:
        return ProjectFamily(name)
    try:
        return FAMILIES[name]
    except KeyError:
        near = difflib.get_close_matches(name, FAMILIES, n=1)
        raise ModelError(
            f"unknown model family {name!r}",
            wanted=", ".join(FAMILIES),
            hint=f"did you mean {near[0]!r}?" if near else "",
        ) from None
