"""Folds of training rows, by a seeded hash of their key: order and cluster do not show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlops_ray.data.rowhash import hash_rows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema

__all__ = ["NO_FOLDS", "Folds", "fold_hashes"]


@dataclass(frozen=True, slots=True)
class Folds:
    """What decides a training row's fold.

    Attributes:
        columns: The key, or the group of the split; rows of one are in one fold. All columns that
            are read where neither is declared.
        salt: Derived from the root seed; another salt deals the keys anew.
    """

    columns: tuple[str, ...]
    salt: int


NO_FOLDS: Final = Folds((), 0)


def fold_hashes(table: pa.Table, schema: Schema, folds: Folds) -> NDArray[np.uint64]:
    """A number a row; its remainder by the number of folds is the fold.

    Returns:
        Shape ``(n_rows,)``.
    """
    hashes: NDArray[np.uint64] = hash_rows(table, schema, folds.columns, folds.salt)[0]
    return hashes
