"""interactions: products of numbers."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from mlops_ray.features.steps.step import Fitted, JointStep, Kernel, Policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Interactions"]


class Interactions(JointStep):
    """The product of every 2, or up to `degree`, different columns of the group.

    Attributes:
        degree: Most columns in a product.
        include: Whether the columns themselves come first.
    """

    short: ClassVar[str] = "degree"
    policies: ClassVar[Policies] = Policies(
        null="null in every product with it",
        out_of_range="error where a product is beyond float32",
        empty="allowed",
    )

    step: Literal["interactions"] = "interactions"
    degree: int = Field(default=2, ge=2, le=4)
    include: bool = False

    def fit(self, names: Sequence[str]) -> Fitted:
        """Nothing to fit."""
        if len(names) < 2:
            got = f"{len(names)} column"
            raise self.refuse("there is nothing to multiply", got, "at least 2", "", names[0])
        return {"degree": self.degree, "include": self.include}

    @classmethod
    def names(cls, names: Sequence[str], fitted: Fitted) -> list[str]:
        """The factors with ``*`` between them."""
        return ["*".join(names[at] for at in factors) for factors in _factors(len(names), fitted)]

    @classmethod
    def kernel(cls, names: Sequence[str], fitted: Fitted) -> Kernel:
        """Products from left to right."""
        products = _factors(len(names), fitted)

        def run(values: NDArray[np.float64]) -> NDArray[np.float64]:
            found = np.empty((len(products), values.shape[1]))
            for at, (first, *others) in enumerate(products):
                found[at] = values[first]
                for other in others:
                    found[at] *= values[other]
            return found

        return run


def _factors(n: int, fitted: Fitted) -> list[tuple[int, ...]]:
    """In the order of ``sklearn.preprocessing.PolynomialFeatures``."""
    sizes = range(1 if fitted["include"] else 2, fitted["degree"] + 1)
    return [factors for size in sizes for factors in combinations(range(n), size)]
