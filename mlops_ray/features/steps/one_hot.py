"""one_hot: one 0/1 number a category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mlops_ray.features.statistics import ordered
from mlops_ray.features.steps.step import CategoryStep, Fitted, Kind, Odd, Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.features.statistics import Categories, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["OneHot"]


class OneHot(CategoryStep):
    """One column a category that at least `min_count` training rows have.

    Attributes:
        min_count: Fewest training rows of a category.
        max_categories: The commonest so many are kept; ties go to the smaller.
        unseen: Whether any other category is all zero or an error.
        null: Whether null is all zero, a category of its own or an error.
    """

    result: ClassVar[Kind] = "indicator"
    policies: ClassVar[Policies] = Policies(
        null="all `zero`, a `category` or an `error`",
        unseen="all `zero` or an `error`; so are rare ones",
    )

    step: Literal["one_hot"] = "one_hot"
    min_count: int = Field(default=1, ge=1)
    max_categories: int = Field(default=1000, ge=1, le=100_000)
    unseen: Literal["zero", "error"] = "zero"
    null: Literal["zero", "category", "error"] = "zero"

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:  # noqa: ARG002
        """The categories in the order of their columns."""
        counts = found.counts
        frequent = [value for value, count in counts.items() if count >= self.min_count]
        if not frequent:
            most = max(counts.values(), default=0)
            raise self.refuse(
                "no category is frequent enough",
                f"the commonest of {len(counts)} stands {most} times in the training rows",
                f"at least min_count = {self.min_count}",
                "lower min_count or leave the column out",
                found.name,
            )
        # Sorting is stable and `counts` in the order of the values: ties go to the smaller value.
        commonest = sorted(frequent, key=lambda value: -counts[value])[: self.max_categories]
        kept = [value for value, _ in ordered((value, 0) for value in commonest)]
        return {"categories": kept, "unseen": self.unseen, "null": self.null}

    @classmethod
    def names(cls, name: str, fitted: Fitted) -> list[str]:
        """``column=category`` each."""
        names = [f"{name}={category}" for category in fitted["categories"]]
        return [*names, f"{name} is null"] if fitted["null"] == "category" else names

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:  # noqa: ARG003
        """The category's place, with weight 1."""
        places = {value: (at, 1.0) for at, value in enumerate(fitted["categories"])}
        odd = {"zero": None, "category": (len(places), 1.0), "error": Odd.REFUSED}

        def encode(value: Code) -> Any:  # noqa: ANN401 - see `CategoryStep.encoder`
            return (
                odd[fitted["null"]] if value is None else places.get(value, odd[fitted["unseen"]])
            )

        return encode
