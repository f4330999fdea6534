"""The arithmetic of features: the one place where it is done, for a batch and for a single row.

Every operation works on each element by itself (IEEE 754 subtraction, division, rounding), so a
row's features have the same bits alone and among others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from mlops_ray.features.state import NumberInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mlops_ray.features.state import FeatureState

__all__ = ["Blocks", "Kernel"]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Decoded input rows, column by column.

    Attributes:
        numbers: Shape ``(n_number_inputs, n_rows)``; NaN is a missing value.
        codes: Shape ``(n_category_inputs, n_rows)``; positions of categories, -1 for none.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Kernel:
    """Fitted parameters laid out for numpy; columns of shape ``(n_number_inputs, 1)``.

    Where a column is not imputed its fill is NaN; where it is not standardized, offset 0 and scale
    1 leave every bit as it was.
    """

    fill: NDArray[np.float64]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    number_at: NDArray[np.intp]
    category_at: NDArray[np.intp]
    n_outputs: int

    @classmethod
    def of(cls, state: FeatureState) -> Self:
        """The kernel of a fitted state."""
        numbers = [item for item in state.inputs if isinstance(item, NumberInput)]
        starts = np.cumsum([0, *(len(item.outputs) for item in state.inputs)])
        is_number = np.array([isinstance(item, NumberInput) for item in state.inputs], dtype=bool)
        return cls(
            _column((item.fill for item in numbers), np.nan),
            _column((item.offset for item in numbers), 0.0),
            _column((item.scale for item in numbers), 1.0),
            starts[:-1][is_number],
            starts[:-1][~is_number][:, np.newaxis],
            int(starts[-1]),
        )

    def scale_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float32]:
        """Filled and standardized numbers; what float32 cannot hold becomes infinite.

        Args:
            numbers: Shape ``(n_number_inputs, n_rows)``.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.where(np.isnan(numbers), self.fill, numbers)
            scaled -= self.offset
            scaled /= self.scale
            return scaled.astype(np.float32)

    def assemble(
        self, numbers: NDArray[np.float32], codes: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """The feature matrix, C-contiguous, shape ``(n_rows, n_outputs)``.

        Args:
            numbers: From `scale_numbers`.
            codes: As in `Blocks`.
        """
        matrix = np.zeros((numbers.shape[1], self.n_outputs), dtype=np.float32)
        matrix[:, self.number_at] = numbers.T
        of_category, row = np.nonzero(codes >= 0)
        matrix[row, self.category_at[of_category, 0] + codes[of_category, row]] = 1.0
        return matrix


def _column(values: Iterable[float | None], default: float) -> NDArray[np.float64]:
    filled = [default if value is None else value for value in values]
    return np.array(filled, dtype=np.float64)[:, np.newaxis]
