"""What a feature step is: options, needs, fitting to plain JSON, and arithmetic.

A new step is one file with one class below and one line in `mlops_ray.features.steps`. A step on
numbers works on a block of shape ``(k, n_rows)``, so that equal steps of k columns are one call; a
step on categories is a function of one value, which is looked up ever after.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.counts import Value
    from mlops_ray.data.schema import LogicalType
    from mlops_ray.features.statistics import Categories, Numbers, TargetSums

__all__ = [
    "CategoryStep",
    "Code",
    "FeatureKind",
    "Fitted",
    "JointStep",
    "Kernel",
    "Kind",
    "NumberStep",
    "Odd",
    "Policies",
    "Step",
    "TimeStep",
    "column",
]

# What a column holds between two steps; nothing comes after an indicator.
Kind: TypeAlias = Literal["number", "category", "time", "indicator"]
FeatureKind: TypeAlias = Literal["number", "category", "time"]  # What a column holds at first.
Fitted: TypeAlias = "dict[str, Any]"  # Plain JSON.
Kernel: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"


class Odd(Enum):
    """What is no category of the training rows."""

    UNSEEN = "unseen"
    REFUSED = "refused"  # As an answer: the value may not be used.


Code: TypeAlias = "Value | Odd | None"


@dataclass(frozen=True, slots=True)
class Policies:
    """What a step does with values that are not plain; a wrong type is always an error.

    Attributes:
        null: A missing value.
        unseen: A category that the training rows do not have.
        out_of_range: A number outside what the step takes or has seen.
        empty: A column without any value in the training rows.
    """

    null: str
    unseen: str = "does not apply"
    out_of_range: str = "does not apply"
    empty: str = "error"


class Step(BaseModel):
    """A declared step: its options, with all defaults.

    Attributes:
        step: Its name in a pipeline file.
        short: The option that a bare value stands for, as in ``{impute: mean}``.
        policies: What happens to values that are not plain.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    short: ClassVar[str] = ""
    policies: ClassVar[Policies]
    step: str

    def gives(self, kind: Kind) -> Kind | None:
        """What comes of a column of some kind; None where the step does not take it."""
        raise NotImplementedError

    @property
    def n_folds(self) -> int:
        """Folds of the training rows, of which each is encoded by the others; 0 for none."""
        return 0

    def refuse(self, what: str, got: str, wanted: str, hint: str, name: str) -> ColumnError:
        """The error of a column that the step cannot be fitted to."""
        return ColumnError(f"{self.step}: {what}", got, wanted, hint, Where(key=name))


class NumberStep(Step):
    """A step from one number to one or several.

    Attributes:
        keeps_statistics: Whether `after` knows those of what comes out.
        only_fills: Whether values stay as they are unless one is missing.
    """

    keeps_statistics: ClassVar[bool] = False
    only_fills: ClassVar[bool] = False

    def gives(self, kind: Kind) -> Kind | None:
        """Numbers of numbers."""
        return "number" if kind == "number" else None

    @property
    def needs_statistics(self) -> bool:
        """Whether mean, bounds or approximate quantiles of what comes in are needed."""
        return False

    @property
    def exact_quantiles(self) -> tuple[float, ...]:
        """Quantiles that are wanted to the bit, which may take a further pass."""
        return ()

    def fit(self, found: Numbers) -> Fitted:
        """The fitted step; `found` is empty where `needs_statistics` is false."""
        raise NotImplementedError

    def after(self, found: Numbers, fitted: Fitted) -> Numbers | None:  # noqa: ARG002
        """Statistics of what comes out, where they follow without another look at the rows."""
        return None

    @classmethod
    def names(cls, name: str, fitted: Fitted) -> list[str]:  # noqa: ARG003
        """Names of what comes out."""
        return [name]

    @classmethod
    def beside(cls, name: str, fitted: Fitted) -> list[tuple[str, str, Fitted]]:  # noqa: ARG003
        """Further features of what came in, which no later step touches: name, step, fitted."""
        return []

    @classmethod
    def batch_key(cls, fitted: Fitted) -> Hashable:  # noqa: ARG003
        """Steps of equal keys are computed in one call."""
        return None

    @classmethod
    def kernel(cls, fitted: Sequence[Fitted]) -> Kernel:
        """The arithmetic of k steps of one key.

        Returns:
            From ``(k, n_rows)`` to ``(k * m, n_rows)``, the m outputs of a column together; each
            element by itself, and the input is left as it is. NaN is a missing value.
        """
        raise NotImplementedError


class CategoryStep(Step):
    """A step from a category to another, to numbers or to indicators."""

    result: ClassVar[Kind] = "category"
    needs_target: ClassVar[bool] = False
    needs_counts: ClassVar[bool] = True

    def gives(self, kind: Kind) -> Kind | None:
        """The step's own kind of result, of categories."""
        return self.result if kind == "category" else None

    def unsuited(self, dtype: LogicalType) -> str:  # noqa: ARG002
        """Why the options do not suit a column of a type; empty where they do."""
        return ""

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:
        """The fitted step."""
        raise NotImplementedError

    @classmethod
    def names(cls, name: str, fitted: Fitted) -> list[str]:  # noqa: ARG003
        """Names of what comes out."""
        return [name]

    @classmethod
    def known(cls, fitted: Fitted) -> list[Value] | None:
        """The categories that have an answer of their own; None where any value has."""
        return list(fitted["categories"])

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:
        """The step as a function of a category, `Odd.UNSEEN`, or None for null.

        Args:
            fitted: The fitted step.
            fold: Fold of a training row; None for all other rows.

        Returns:
            The answer: a category, a list of numbers, a pair of position and weight, None for no
            indicator at all, or `Odd.REFUSED`.
        """
        raise NotImplementedError


class TimeStep(Step):
    """A step from a time to numbers, by way of whole calendar fields."""

    def gives(self, kind: Kind) -> Kind | None:
        """Numbers of times."""
        return "number" if kind == "time" else None

    def fit(self, dtype: LogicalType, name: str) -> Fitted:
        """The fitted step."""
        raise NotImplementedError

    @classmethod
    def lanes(cls, name: str, fitted: Fitted) -> list[tuple[str, str, Callable[[int], float]]]:
        """Name of each output, the calendar field it is made of, and its value for the field's."""
        raise NotImplementedError


class JointStep(Step):
    """A step from several numbers to several."""

    @property
    def named(self) -> str:
        """The feature's name, where it is declared."""
        return ""

    def gives(self, kind: Kind) -> Kind | None:
        """Numbers of numbers."""
        return "number" if kind == "number" else None

    def fit(self, names: Sequence[str]) -> Fitted:
        """The fitted step, for inputs of these names.

        Raises:
            ColumnError: The inputs do not fit the step.
        """
        raise NotImplementedError

    @classmethod
    def names(cls, names: Sequence[str], fitted: Fitted) -> list[str]:
        """Names of what comes out."""
        raise NotImplementedError

    @classmethod
    def kernel(cls, names: Sequence[str], fitted: Fitted) -> Kernel:
        """The arithmetic, from ``(len(names), n_rows)`` to ``(n_outputs, n_rows)``."""
        raise NotImplementedError


def column(fitted: Sequence[Fitted], key: str) -> NDArray[np.float64]:
    """One fitted number a step, as a column that broadcasts over rows."""
    return np.array([[item[key]] for item in fitted], dtype=np.float64)
