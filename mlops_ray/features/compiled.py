"""The compiled transform: two ways in (Arrow columns, records), one arithmetic."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import ColumnError, RecordError, Where
from mlops_ray.features.lookup import Refusal
from mlops_ray.features.program import Blocks, Program
from mlops_ray.features.record_input import RecordDecoder
from mlops_ray.features.sparse import csr_of
from mlops_ray.features.state import FeatureState
from mlops_ray.features.table_input import blocks_of_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

__all__ = ["CompiledTransform"]


class CompiledTransform:
    """Turns rows into the feature matrix of a fitted state.

    A row's features have the same bits whichever way it comes in, alone or among others. It travels
    to another process as its state, and is compiled there when it arrives first.

    Attributes:
        state: The fitted state.
        accepts_missing: Whether missing values that no step fills may stay, as NaN.
    """

    def __init__(self, state: FeatureState, *, accepts_missing: bool = True) -> None:
        self.state = state
        self.accepts_missing = accepts_missing
        self._inputs = state.inputs
        self._program = Program(state.graph)
        self._records = RecordDecoder(self._program, self._inputs)

    def __reduce__(self) -> tuple[Callable[..., CompiledTransform], tuple[str, bool]]:
        """The state, and how to compile it."""
        return _compiled, (json.dumps(self.state.to_json()), self.accepts_missing)

    @property
    def has_folds(self) -> bool:
        """Whether training rows have features of their own, see `from_table`."""
        return self._program.has_folds

    def from_table(
        self, table: pa.Table, folds: NDArray[np.uint64] | None = None
    ) -> NDArray[np.float32]:
        """Features of a table's rows.

        Args:
            table: Holds the input columns; others are passed over.
            folds: For training rows, a hash of each that decides which fold it is in: target
                encodings then leave that fold out.

        Returns:
            C-contiguous, shape ``(n_rows, n_outputs)``.

        Raises:
            ColumnError: A column is absent or of another type, or a value cannot be used.
        """
        blocks = blocks_of_table(self._program, self._inputs, table)
        return self._matrix(blocks, ColumnError, folds)

    def csr_from_table(self, table: pa.Table, folds: NDArray[np.uint64] | None = None) -> csr_array:
        """Features of a table's rows without their zeros; every bit is that of `from_table`.

        What it takes is in proportion to the rows and the entries, however many columns there are.

        Returns:
            Shape ``(n_rows, n_outputs)``, 32-bit floats, in canonical form.

        Raises:
            ColumnError: As for `from_table`.
        """
        return self._csr(blocks_of_table(self._program, self._inputs, table), ColumnError, folds)

    def csr_from_records(self, records: Sequence[Mapping[str, Any]]) -> csr_array:
        """Features of records without their zeros; every bit is that of `from_records`.

        Raises:
            RecordError: As for `from_records`.
        """
        return self._csr(self._records.of_records(records), RecordError)

    def values_of_table(
        self, table: pa.Table, folds: NDArray[np.uint64] | None = None
    ) -> NDArray[np.float64]:
        """Features before they are rounded, one a row, without indicators; to fit further steps.

        Raises:
            ColumnError: As for `from_table`.
        """
        blocks = blocks_of_table(self._program, self._inputs, table)
        try:
            return self._program.values(blocks, folds)
        except Refusal as refusal:
            raise _told(refusal, ColumnError) from None

    def from_records(self, records: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
        """Features of records as JSON gives them.

        Args:
            records: Each with exactly the input columns as fields; null is a missing value.

        Returns:
            C-contiguous, shape ``(n_records, n_outputs)``.

        Raises:
            RecordError: A record does not fit; names record and field.
        """
        return self._matrix(self._records.of_records(records), RecordError)

    def from_columns(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.float32]:
        """Features of columns of Python values, None being a missing value.

        Returns:
            C-contiguous, shape ``(n_rows, n_outputs)``.

        Raises:
            RecordError: A column or a value does not fit; names row and field.
        """
        return self._matrix(self._records.of_columns(columns), RecordError)

    def refused_nulls(self) -> set[str]:
        """Input columns in which a null is an error: of a feature that refuses nulls alone."""
        refused: set[str] = set()
        for feature in self.state.features:
            alone = CompiledTransform(
                FeatureState((feature,)), accepts_missing=self.accepts_missing
            )
            try:
                alone.from_records([dict.fromkeys(feature.columns)])
            except RecordError:
                refused.update(feature.columns)
        return refused

    def _csr(
        self,
        blocks: Blocks,
        error: type[ColumnError | RecordError],
        folds: NDArray[np.uint64] | None = None,
    ) -> csr_array:
        program, accepts = self._program, self.accepts_missing
        try:
            entries = list(program.entries(blocks, accepts_missing=accepts, folds=folds))
        except Refusal as refusal:
            raise _told(refusal, error) from None
        return csr_of(entries, program.n_outputs)

    def _matrix(
        self,
        blocks: Blocks,
        error: type[ColumnError | RecordError],
        folds: NDArray[np.uint64] | None = None,
    ) -> NDArray[np.float32]:
        try:
            return self._program.matrix(blocks, accepts_missing=self.accepts_missing, folds=folds)
        except Refusal as refusal:
            raise _told(refusal, error) from None


@lru_cache(maxsize=2)  # A worker meets it with every task.
def _compiled(document: str, accepts_missing: bool) -> CompiledTransform:
    state = FeatureState.from_json(json.loads(document))
    return CompiledTransform(state, accepts_missing=accepts_missing)


def _told(refusal: Refusal, error: type[ColumnError | RecordError]) -> ColumnError | RecordError:
    return error(f"record {refusal.row}: {refusal.what}", where=Where(key=refusal.column))
