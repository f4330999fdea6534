"""The compiled transform: two ways in (Arrow columns, records), one arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.errors import ColumnError, RecordError, Where
from mlops_ray.features.kernels import Blocks, Kernel
from mlops_ray.features.record_input import blocks_of_columns, columns_of_records
from mlops_ray.features.state import NumberInput
from mlops_ray.features.table_input import blocks_of_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.features.state import FeatureState

__all__ = ["CompiledTransform"]

_TOO_LARGE: Final = "a value is infinite or too large for the model's 32-bit features"
_MISSING: Final = "a value is missing, and the model takes no missing values"


class CompiledTransform:
    """Turns rows into the feature matrix of a fitted state.

    A row's features have the same bits whichever way it comes in, alone or among others.

    Attributes:
        state: The fitted state.
        accepts_missing: Whether missing values that no step fills may stay, as NaN.
    """

    def __init__(self, state: FeatureState, *, accepts_missing: bool = True) -> None:
        self.state = state
        self.accepts_missing = accepts_missing
        self._kernel = Kernel.of(state)
        self._numbers = [item.column for item in state.inputs if isinstance(item, NumberInput)]

    def from_table(self, table: pa.Table) -> NDArray[np.float32]:
        """Features of a table's rows.

        Args:
            table: Holds the input columns; others are passed over.

        Returns:
            C-contiguous, shape ``(n_rows, n_outputs)``.

        Raises:
            ColumnError: A column is absent or of another type, or a value cannot be used.
        """
        return self._transform(blocks_of_table(self.state.inputs, table), ColumnError)

    def from_records(self, records: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
        """Features of records as JSON gives them.

        Args:
            records: Each with exactly the input columns as fields; null is a missing value.

        Returns:
            C-contiguous, shape ``(n_records, n_outputs)``.

        Raises:
            RecordError: A record does not fit; names record and field.
        """
        return self.from_columns(columns_of_records(self.state.inputs, records))

    def from_columns(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float32]:
        """Features of columns of Python values, None being a missing value.

        Returns:
            C-contiguous, shape ``(n_rows, n_outputs)``.

        Raises:
            RecordError: A column or a value does not fit; names row and field.
        """
        return self._transform(blocks_of_columns(self.state.inputs, columns), RecordError)

    def _transform(
        self, blocks: Blocks, error: type[ColumnError | RecordError]
    ) -> NDArray[np.float32]:
        numbers = self._kernel.scale_numbers(blocks.numbers)
        self._refuse(np.isinf(numbers), _TOO_LARGE, error)
        if not self.accepts_missing:
            self._refuse(np.isnan(numbers), _MISSING, error)
        return self._kernel.assemble(numbers, blocks.codes)

    def _refuse(
        self, bad: NDArray[np.bool_], what: str, error: type[ColumnError | RecordError]
    ) -> None:
        if bad.any():
            row, at = (int(index) for index in np.argwhere(bad.T)[0])
            raise error(f"record {row}: {what}", where=Where(key=self._numbers[at]))
