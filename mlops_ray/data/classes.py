"""The rows of a unit by their value of the target, where it has few.

Rows of one class put behind one another are counted beside the target by counting them class by
class: no row's target is looked at again, whatever column it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.data.cells import FixedCells, TextCells
from mlops_ray.data.row_parts import Classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.cells import Counted

__all__ = ["classes_of"]

_MAX_CLASSES: Final = 4  # Each costs some fixed time a column.
_ROWS_A_CLASS: Final = 2**13  # With fewer rows that is not worth it.


def classes_of(cells: Counted, n_rows: int, n_parts: int) -> Classes | None:
    """The rows by their value of the target; None where it has many, or there are few rows.

    Args:
        cells: The decoded target.
        n_rows: Its rows.
        n_parts: Parts of the rows.
    """
    few = _few(cells)
    n = few.size + (isinstance(cells, FixedCells) and cells.nulls is not None)
    if not 1 < n <= _MAX_CLASSES or n_rows < n * n_parts * _ROWS_A_CLASS:
        return None
    if isinstance(cells, TextCells):
        return Classes(cells.codes.astype(np.int8), n)
    codes = np.searchsorted(few, cells.values)
    is_known = few.take(codes, mode="clip") == cells.values
    if cells.nulls is not None:
        codes[cells.nulls] = few.size
        is_known |= cells.nulls
    return Classes(codes.astype(np.int8), n) if is_known.all() else None


def _few(cells: Counted) -> NDArray[Any]:
    """The values, as far as a glance tells; codes of texts, with that of null."""
    if isinstance(cells, TextCells):
        n = len(cells.values)
        return np.arange(n + (n <= _MAX_CLASSES and bool((cells.codes == n).any())))
    glance = cells.values[:_ROWS_A_CLASS]
    return np.unique(glance if cells.nulls is None else glance[~cells.nulls[:_ROWS_A_CLASS]])
