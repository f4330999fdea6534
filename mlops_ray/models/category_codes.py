"""Codes of categories in a matrix: those that a fit has seen; all others are missing values.

XGBoost sends a code that it has not seen down a branch of its own choice, not where missing values
go. Codes are compared one by one, so a row's bits do not depend on the rows around it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from mlops_ray.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["KnownCodes"]


class KnownCodes:
    """The codes of each feature that has categories.

    Args:
        codes: Place of the feature -> its codes, ascending.
    """

    def __init__(self, codes: Mapping[int, Sequence[int]]) -> None:
        self._codes = {at: list(known) for at, known in codes.items()}
        self._tables: dict[int, NDArray[np.bool_]] = {}
        for at, known in self._codes.items():
            table = np.zeros(max(known, default=0) + 1, dtype=np.bool_)
            table[known] = True
            self._tables[at] = table

    @classmethod
    def of_rows(cls, X: NDArray[np.float32], n_categories: Sequence[int]) -> KnownCodes:
        """The codes that occur.

        Args:
            X: Feature rows, shape ``(n_rows, n_features)``.
            n_categories: For each feature how many categories it has, 0 for a number; other codes
                than these are none.
        """
        found = {}
        for at in (at for at, n in enumerate(n_categories) if n):
            codes = np.unique(X[:, at])
            is_code = (codes >= 0) & (codes < n_categories[at]) & (codes == np.floor(codes))
            found[at] = codes[is_code].astype(int).tolist()
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self._codes)

    def without_others(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rows with NaN for every other code; `X` itself where there is nothing to look at.

        Example:
            >>> KnownCodes({0: [0, 2]}).without_others(np.float32([[2], [1], [-1], [9]])).tolist()
            [[2.0], [nan], [nan], [nan]]
        """
        if not self._codes:
            return X
        rows = X.copy()
        for at, table in self._tables.items():
            column = X[:, at]
            is_whole = (column >= 0) & (column < table.size) & (column == np.floor(column))
            places = np.where(is_whole, column, 0).astype(np.intp)
            rows[~(is_whole & table[places]), at] = np.nan
        return rows

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps({str(at): known for at, known in self._codes.items()}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> KnownCodes:
        """What `to_text` wrote.

        Raises:
            ModelError: The text is something else.
        """
        try:
            return cls({int(at): [int(c) for c in known] for at, known in json.loads(text).items()})
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise ModelError("the booster's categories cannot be read", repr(error)) from error
