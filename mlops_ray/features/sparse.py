"""The feature matrix with its zeros left out: what many columns of indicators cost is their rows.

Values are those of the dense matrix, bit for bit: what is left out is exactly 0.0, so a -0.0 and a
missing value (NaN) are entries. An absent entry is a zero; whoever takes it for a missing value, as
XGBoost does, has to be given the dense matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

__all__ = ["Entries", "csr_of"]


class Entries(NamedTuple):
    """Values of some rows that are not 0.0, in no order.

    Attributes:
        rows: From 0.
        columns: From 0.
        values: As 32-bit floats.
        n_rows: How many rows they are of.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: NDArray[np.float32]
    n_rows: int


def csr_of(parts: Sequence[Entries], n_columns: int) -> csr_array:
    """Rows below one another, in canonical form: columns of a row sorted, none twice.

    Args:
        parts: Entries of consecutive rows.
        n_columns: Width.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415 - dense matrices need no scipy

    starts = np.cumsum([0, *(part.n_rows for part in parts)])
    pairs = list(zip(parts, starts[:-1], strict=True))
    rows = np.concatenate([part.rows + start for part, start in pairs])
    columns = np.concatenate([part.columns for part in parts])
    order = np.lexsort((columns, rows))
    counts = np.bincount(rows, minlength=int(starts[-1]))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    values = np.concatenate([part.values for part in parts])[order]
    shape = (int(starts[-1]), n_columns)
    indices = columns[order].astype(np.int32)
    return csr_array((values, indices, indptr), shape=shape)
