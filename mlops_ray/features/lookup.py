"""Tables that codes are looked up in: all of them one array, so that one call finds all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.codes import Coder

__all__ = ["Lookup", "Refusal", "lookup"]

_NOT_ALLOWED: Final = "the value is a category, or a null, that a step does not allow"


class Refusal(Exception):  # noqa: N818 - never leaves this package
    """A value that cannot be used: what is wrong, its row and its column."""

    def __init__(self, what: str, row: int, column: str) -> None:
        super().__init__(what, row, column)
        self.what, self.row, self.column = what, row, column


@dataclass(frozen=True, slots=True)
class Lookup:
    """Tables behind one another, and where each row of codes looks.

    Attributes:
        rows: The code row of each table.
        starts: Where the way that leaves no fold out begins.
        sizes: Codes of each way.
        n_ways: How many ways: one without folds.
        refused: Marks positions that may not be looked at; None where there are none.
        columns: The input column of each table.
    """

    rows: NDArray[np.intp]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    n_ways: NDArray[np.int64]
    refused: NDArray[np.bool_] | None
    columns: tuple[str, ...]

    def at(self, codes: NDArray[np.int32], folds: NDArray[np.uint64] | None) -> NDArray[np.int64]:
        """Positions, shape ``(n_tables, n_rows)``.

        Raises:
            Refusal: A position is refused.
        """
        found = codes.take(self.rows, axis=0) + self.starts
        if folds is not None:
            for row, n_ways in enumerate(self.n_ways[:, 0]):
                if n_ways > 1:
                    n_folds = int(n_ways) - 1
                    way = (folds % np.uint64(n_folds)).astype(np.int64)
                    found[row] += (way - n_folds) * self.sizes[row]
        if self.refused is not None:
            refused = self.refused[found]
            if refused.any():
                at, row = (int(i) for i in np.argwhere(refused)[0])
                raise Refusal(_NOT_ALLOWED, row, self.columns[at])
        return found


def lookup(
    coders: Sequence[Coder], tables: Sequence[tuple[Coder, list[list[Any]], frozenset[int]]]
) -> tuple[Lookup | None, NDArray[Any]]:
    """Put tables behind one another.

    Args:
        coders: What makes the rows of codes.
        tables: Coder, entries of each way, and the codes that are refused.

    Returns:
        How to look up, None where there are no tables, and all entries.
    """
    place = {coder: at for at, coder in enumerate(coders)}
    entries: list[Any] = []
    refused: list[int] = []
    starts, sizes, n_ways = [], [], []
    for coder, ways, no in tables:
        size = len(coder.meanings)
        refused += [len(entries) + way * size + at for way in range(len(ways)) for at in no]
        starts.append(len(entries) + (len(ways) - 1) * size)  # The last way: no fold left out.
        sizes.append(size)
        n_ways.append(len(ways))
        for way in ways:
            entries += way
    if not tables:
        return None, np.empty(0)
    marks = np.zeros(len(entries), dtype=np.bool_)
    marks[refused] = True
    found = Lookup(
        rows=np.array([place[coder] for coder, _, _ in tables], dtype=np.intp),
        starts=np.array(starts, dtype=np.int64)[:, np.newaxis],
        sizes=np.array(sizes, dtype=np.int64)[:, np.newaxis],
        n_ways=np.array(n_ways, dtype=np.int64)[:, np.newaxis],
        refused=marks if refused else None,
        columns=tuple(coder.column for coder, _, _ in tables),
    )
    return found, np.array(entries)
