"""rare: seldom categories become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from mlops_ray.features.steps.step import CategoryStep, Fitted, Kind, Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.features.statistics import Categories, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["Rare"]


class Rare(CategoryStep):
    """Categories of too few training rows, and unseen ones, become one.

    Attributes:
        min_count: Fewest training rows of a category that stays.
        min_share: In place of it, the smallest share of the training rows, nulls included.
        label: Name of the one they become.
    """

    short: ClassVar[str] = "min_count"
    result: ClassVar[Kind] = "category"
    policies: ClassVar[Policies] = Policies(
        null="stays null", unseen="the rare category", empty="allowed"
    )

    step: Literal["rare"] = "rare"
    min_count: int | None = Field(default=None, ge=1)
    min_share: float | None = Field(default=None, gt=0, lt=1)
    label: str = Field(default="(rare)", min_length=1)

    @model_validator(mode="after")
    def _one_bound(self) -> Rare:
        if (self.min_count is None) == (self.min_share is None):
            msg = "give exactly one of 'min_count' and 'min_share'"
            raise ValueError(msg)
        return self

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:  # noqa: ARG002
        """The categories that stay."""
        least = self.min_count or (self.min_share or 0.0) * found.n_rows
        kept = [value for value, count in found.counts.items() if count >= least]
        return {"categories": kept, "label": self.label}

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:  # noqa: ARG003
        """The category itself, or the label."""
        kept = frozenset(fitted["categories"])
        return lambda value: value if value is None or value in kept else fitted["label"]
