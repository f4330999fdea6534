"""frequency: how often a category stands in the training rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mlops_ray.features.steps.step import CategoryStep, Fitted, Kind, Odd, Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.features.statistics import Categories, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["Frequency"]


class Frequency(CategoryStep):
    """The share of training rows that have the category, or their number.

    Attributes:
        normalize: Whether it is the share.
        unseen: Whether any other category is 0 or an error.
        null: Whether null counts as a category, stays missing or is an error.
    """

    result: ClassVar[Kind] = "number"
    policies: ClassVar[Policies] = Policies(
        null="a `category`, stays null (`keep`) or an `error`", unseen="`zero` or an `error`"
    )

    step: Literal["frequency"] = "frequency"
    normalize: bool = True
    unseen: Literal["zero", "error"] = "zero"
    null: Literal["category", "keep", "error"] = "category"

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:  # noqa: ARG002
        """The categories and their shares."""
        if not found.counts:
            got = f"{found.n_null} nulls in {found.n_rows} rows"
            raise self.refuse("there is no category", got, "", "leave it out", found.name)
        n = found.n_rows if self.normalize else 1
        return {
            "categories": list(found.counts),
            "values": [count / n for count in found.counts.values()],
            "of_null": found.n_null / n,
            "unseen": self.unseen,
            "null": self.null,
        }

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:  # noqa: ARG003
        """The category's share."""
        pairs = zip(fitted["categories"], fitted["values"], strict=True)
        shares: dict[Any, Any] = {value: [float(share)] for value, share in pairs}
        unseen = Odd.REFUSED if fitted["unseen"] == "error" else [0.0]
        null = {"category": [float(fitted["of_null"])], "keep": [math.nan], "error": Odd.REFUSED}
        return lambda value: null[fitted["null"]] if value is None else shares.get(value, unseen)
