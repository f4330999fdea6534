"""target: the mean target of a category, for training rows without their own fold.

Source: D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes in
classification and prediction problems", SIGKDD Explorations 3, 2001; out of fold as in
``sklearn.preprocessing.TargetEncoder``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mlops_ray.data.exact import ExactSum
from mlops_ray.features.steps.step import CategoryStep, Fitted, Kind, Odd, Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.features.statistics import Categories, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["Target"]


class Target(CategoryStep):
    """The mean target of the category's training rows, drawn towards the mean of all.

    A training row is encoded by the rows of the other folds, so its own target is not in it. The
    fold is decided by a seeded hash of the row's key, so neither order nor cluster shows. Valid and
    test rows, and those that are served, are encoded by all training rows. With more than two
    classes there is one number a class: its share.

    Attributes:
        smoothing: The mean of all counts as so many rows of each category.
        folds: Number of folds.
        unseen: Whether any other category gets the mean of all or is an error.
        null: Whether null is a category of its own or an error.
    """

    short: ClassVar[str] = "smoothing"
    result: ClassVar[Kind] = "number"
    needs_target: ClassVar[bool] = True
    policies: ClassVar[Policies] = Policies(
        null="a `category` or an `error`", unseen="the `mean` or an `error`"
    )

    step: Literal["target"] = "target"
    smoothing: float = Field(default=20.0, ge=0)
    folds: int = Field(default=5, ge=2, le=100)
    unseen: Literal["mean", "error"] = "mean"
    null: Literal["category", "error"] = "category"

    @property
    def n_folds(self) -> int:
        """As declared."""
        return self.folds

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:
        """Means by fold left out, and with none left out."""
        if target is None:
            raise TypeError("target encoding without target")
        ways = [*range(self.folds), None]
        means = {at: self._means(found, target, fold) for at, fold in enumerate(ways)}
        return {
            "categories": list(found.counts),
            "labels": list(target.labels),
            "n_folds": self.folds,
            "means": [means[at] for at in range(len(ways))],
            "unseen": self.unseen,
            "null": self.null,
        }

    def _means(self, found: Categories, target: TargetSums, fold: int | None) -> list[list[float]]:
        """Means of each category, of null and of all; one number a label each."""
        by_category = target.without(fold, lambda value: value)
        n_all, all_sums = 0, tuple(ExactSum() for _ in target.labels)
        for n, sums in by_category.values():
            n_all += n
            all_sums = tuple(a + b for a, b in zip(all_sums, sums, strict=True))
        if not n_all:
            got = f"no training row outside fold {fold}"
            raise self.refuse("a fold holds all rows", got, "", "take fewer folds", found.name)
        overall = [_total(total, n_all) for total in all_sums]
        nothing = (0, tuple(ExactSum() for _ in target.labels))
        rows = [by_category.get(value, nothing) for value in [*found.counts, None]]
        return [
            *(
                [self._mean(total, n, mean) for total, mean in zip(sums, overall, strict=True)]
                for n, sums in rows
            ),
            overall,
        ]

    def _mean(self, total: ExactSum, n: int, overall: float) -> float:
        if not n + self.smoothing:
            return overall
        return (_total(total, 1) + self.smoothing * overall) / (n + self.smoothing)

    @classmethod
    def names(cls, name: str, fitted: Fitted) -> list[str]:
        """The column's name, or one name a class."""
        labels = fitted["labels"]
        return [name] if len(labels) == 1 else [f"{name}~{label}" for label in labels]

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:
        """The category's means, from the rows outside a fold."""
        means = fitted["means"][fitted["n_folds"] if fold is None else fold]
        rows = [[float(mean) for mean in row] for row in means]
        known: dict[Any, Any] = dict(zip(fitted["categories"], rows, strict=False))
        null = Odd.REFUSED if fitted["null"] == "error" else rows[-2]
        unseen = Odd.REFUSED if fitted["unseen"] == "error" else rows[-1]
        return lambda value: null if value is None else known.get(value, unseen)


def _total(total: ExactSum, n: int) -> float:
    """A sum divided by n, rounded once."""
    return ExactSum(n, total.total, total.squares).mean
