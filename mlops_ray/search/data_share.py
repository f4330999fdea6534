"""Shares of the training rows, of which each holds all smaller ones. Ray-free.

All rows stand in one order, drawn by a seed: a share is the first of them. As large a share is
taken of each class, and of rows that weigh nothing apart, and never none: a fit sees every class
that a fit on all rows would see. Which slot asks, or what it was asked before, has no say.

Source: L. Li et al., "Hyperband" (2018), section 4.2, where rows are the resource.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ray.data.mixing import finished
from mlops_ray.errors import DataError, Where
from mlops_ray.runtime.seeds import derive
from mlops_ray.search.rung import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["check_shares", "rows_of_share", "strata_of"]


def strata_of(
    y: NDArray[Any], n_classes: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """What rows are told apart by when a share is taken, shape ``(n_rows,)``.

    Args:
        y: Class index, or value, of each row.
        n_classes: Classes there are; 0 for a regression, whose rows are all alike.
        weights: How much each row counts; None where all count the same.

    Example:
        >>> strata_of(np.array([0, 1, 1]), 2, np.array([0.0, 0.0, 2.5])).tolist()
        [0, 2, 3]
    """
    classes = y.astype(np.int64) if n_classes else np.zeros(y.size, np.int64)
    return classes if weights is None else 2 * classes + (weights > 0)


def rows_of_share(
    rows: NDArray[np.intp], share: float, seed: int, strata: NDArray[np.int64]
) -> NDArray[np.intp]:
    """The rows of a share.

    Args:
        rows: Rows to choose from, by their position in the training matrix, ascending.
        share: How many of them, above 0; 1 are all.
        seed: Seed of the order.
        strata: Stratum of each row of the whole matrix.

    Returns:
        Positions, ascending.

    Example:
        >>> rows, strata = np.arange(9), np.zeros(9, np.int64)
        >>> a, b = (rows_of_share(rows, share, 1, strata) for share in (1 / 9, 1 / 3))
        >>> len(a), len(b), set(a) < set(b)
        (1, 3, True)
    """
    if share >= 1:
        return rows
    salt = np.uint64(derive(seed, "data_share"))
    places = finished(rows.astype(np.uint64) ^ salt)  # No two are equal: it can be undone.
    own_strata, taken = strata[rows], []
    for stratum in np.unique(own_strata):
        own = np.flatnonzero(own_strata == stratum)
        first = np.argsort(places[own])[: _n_taken(own.size, share)]
        taken.append(rows[own[first]])
    return np.sort(np.concatenate(taken))


def check_shares(
    shares: Sequence[float], parts: Sequence[NDArray[np.intp]], strata: NDArray[np.int64]
) -> None:
    """Refuse shares that are too small to differ.

    Args:
        shares: Of the rungs, growing.
        parts: The rows that each fold, or the holdout, is fitted on.
        strata: Stratum of each row of the whole matrix.

    Raises:
        DataError: Two shares of a part are the same rows.
    """
    for rows in parts:
        counts = np.unique(strata[rows], return_counts=True)[1].tolist()
        sizes = [sum(_n_taken(count, share) for count in counts) for share in shares]
        for (share, size), (_, larger) in pairwise(zip(shares, sizes, strict=True)):
            if size == larger:
                raise DataError(
                    "two rungs of halving have the same training rows",
                    f"{size} of {rows.size}, at {in_words(share, 'data_share')} and at the next",
                    "more rows from rung to rung",
                    "raise 'search.halving.min_share', or leave 'search.halving' out",
                    Where(key="search.halving.min_share"),
                )


def _n_taken(n: int, share: float) -> int:
    """How many of `n` rows of a stratum; it grows with the share."""
    return max(1, round(n * share))
