"""A sample of rows by their content: the same rows in every table that holds them.

Rows whose hash is below a bound are taken, so that a row which stands in two parts of the split is
taken in both or in neither, and the rows of two samples can be held against each other. The bound
is halved until no more than 2^15 distinct rows are left: up to there all rows are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["MAX_ROWS", "RowSample"]

MAX_ROWS: Final = 2**15
_SAFELY: Final = 1.05 * MAX_ROWS  # Of so many hashes more than `MAX_ROWS` differ, if all do.


@dataclass(frozen=True, eq=False, slots=True)
class RowSample:
    """Distinct rows of a part and how often each stands.

    Attributes:
        level: Only hashes below 2^(64 - level) are here; the lowest level that keeps them few.
        hashes: Of the distinct rows, increasing.
        rows: How many rows each of them has.
    """

    level: int
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> Self:
        """Sample of rows by their hashes."""
        level = _likely_level(hashes.size)
        if level:
            low = hashes[hashes < _bound(level)]
            distinct, rows = np.unique(low, return_counts=True)
            if distinct.size > MAX_ROWS:  # So at no lower level they would be few.
                return cls._few(level, distinct, rows.astype(np.int64))
        distinct, rows = np.unique(hashes, return_counts=True)
        return cls._few(0, distinct, rows.astype(np.int64))

    @classmethod
    def merged(cls, parts: Sequence[RowSample]) -> Self:
        """Sample of all parts together; their order does not matter."""
        level = max(part.level for part in parts)
        same = [part.at_level(level) for part in parts]
        likely = level + _likely_level(sum(part.hashes.size for part in same))
        if likely > level:
            found = cls._added(likely, [part.at_level(likely) for part in same])
            if found.hashes.size > MAX_ROWS:  # So at no lower level they would be few.
                return cls._few(likely, found.hashes, found.rows)
        found = cls._added(level, same)
        return cls._few(level, found.hashes, found.rows)

    @classmethod
    def _added(cls, level: int, parts: Sequence[RowSample]) -> Self:
        distinct, at = np.unique(np.concatenate([p.hashes for p in parts]), return_inverse=True)
        rows = np.bincount(at, np.concatenate([p.rows for p in parts]), minlength=distinct.size)
        return cls(level, distinct, rows.astype(np.int64))

    @classmethod
    def _few(cls, level: int, hashes: NDArray[np.uint64], rows: NDArray[np.int64]) -> Self:
        while hashes.size > MAX_ROWS:
            level += 1
            n_left = int(np.searchsorted(hashes, _bound(level)))
            hashes, rows = hashes[:n_left], rows[:n_left]
        return cls(level, hashes, rows)

    def at_level(self, level: int) -> RowSample:
        """The rows that are left at a level that is no lower."""
        if level == self.level:
            return self
        n_left = int(np.searchsorted(self.hashes, _bound(level)))
        return RowSample(level, self.hashes[:n_left], self.rows[:n_left])

    @property
    def n_rows(self) -> int:
        """Rows looked at."""
        return int(self.rows.sum())

    def n_rows_in(self, other: RowSample) -> int:
        """Rows of this sample that stand in the other one, which is of the same level, too."""
        return int(self.rows[np.isin(self.hashes, other.hashes, assume_unique=True)].sum())

    def __eq__(self, other: object) -> bool:
        """Whether the other holds the same."""
        return (
            isinstance(other, RowSample)
            and self.level == other.level
            and np.array_equal(self.hashes, other.hashes)
            and np.array_equal(self.rows, other.rows)
        )

    __hash__ = None  # type: ignore[assignment]  # Arrays have none.

    def content(self) -> tuple[int, list[NDArray[Any]]]:
        """As a JSON value and arrays, for `data.packed.pack`."""
        return self.level, [self.hashes, self.rows]

    @classmethod
    def of_content(cls, value: int, arrays: Iterator[NDArray[Any]]) -> Self:
        """The inverse of `content`; takes its arrays off the front."""
        return cls(value, next(arrays), next(arrays))


def _likely_level(n_hashes: int) -> int:
    """The highest level that leaves clearly more than `MAX_ROWS` of so many hashes."""
    return max(int(n_hashes / _SAFELY).bit_length() - 1, 0)


def _bound(level: int) -> np.uint64:
    return np.uint64(2 ** (64 - level))
