"""ordinal: the place of a category in their order."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from mlops_ray.features.steps.step import CategoryStep, Fitted, Kind, Odd, Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.statistics import Categories, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["Ordinal"]

_TYPES: Final[dict[str, type]] = {"string": str, "integer": int, "boolean": bool}


class Ordinal(CategoryStep):
    """The place of a category, from 0.

    Attributes:
        order: The categories in their order; else those of the training rows, sorted.
        unseen: The number of any other category, or ``error``.
        null: The number of null; none leaves it missing; or ``error``.
    """

    short: ClassVar[str] = "order"
    result: ClassVar[Kind] = "number"
    policies: ClassVar[Policies] = Policies(
        null="stays null, a number or an `error`",
        unseen="a number, -1 by default, or an `error`",
        empty="error; allowed with an order",
    )

    step: Literal["ordinal"] = "ordinal"
    order: list[str | int | bool] | None = Field(default=None, min_length=1)
    unseen: float | Literal["error"] = -1.0
    null: float | Literal["error"] | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Ordinal:
        told = [(type(value), value) for value in self.order or ()]
        if len(set(told)) < len(told):
            msg = "a category of 'order' is named twice"
            raise ValueError(msg)
        return self

    def unsuited(self, dtype: LogicalType) -> str:
        """Categories of another type would never be met."""
        odd = [v for v in self.order or () if type(v) is not _TYPES.get(dtype, str)]
        return f"{odd[0]!r} of 'order' is no {dtype}" if odd else ""

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:  # noqa: ARG002
        """The categories in their order."""
        if self.order is None and not found.counts:
            got = f"{found.n_null} nulls in {found.n_rows} rows"
            raise self.refuse("there is no category", got, "", "declare 'order'", found.name)
        categories = list(found.counts) if self.order is None else list(self.order)
        return {"categories": categories, "unseen": self.unseen, "null": self.null}

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:  # noqa: ARG003
        """The category's place."""
        places = dict(zip(fitted["categories"], count(), strict=False))
        null, unseen = (_answer(fitted[name]) for name in ("null", "unseen"))

        def encode(value: Code) -> list[float] | Odd:
            at = places.get(value)
            return [float(at)] if at is not None else null if value is None else unseen

        return encode


def _answer(declared: float | str | None) -> list[float] | Odd:
    if declared == "error":
        return Odd.REFUSED
    return [math.nan if declared is None else float(declared)]
