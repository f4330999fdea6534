"""Which rows are scored and which are fitted on, fold by fold. Ray-free.

Folds are dealt as the split deals its parts: a row's fold follows from the salted hash of its key
or group, whatever the order and the number of rows. Of a stratified split each class is dealt out
by the ranks of its hashes instead, so that every fold has its share of each.

Source: scikit-learn, `TimeSeriesSplit`, for the sizes of the folds of a time series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.data.mixing import finished
from mlops_ray.errors import DataError, Where
from mlops_ray.runtime.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.config.validation import ValidationConfig

__all__ = ["Fold", "check_folds", "deal"]

_MORE_ROWS: Final = {
    "k_fold": "declare fewer folds",
    "grouped": "declare fewer folds, or a group of more values",
    "time_series": "declare fewer folds, or a time that tells more rows apart",
}
_MORE_CLASSES: Final = {
    "k_fold": "declare fewer folds, or 'split.stratify: true'",
    "grouped": "declare fewer folds, or a group of more values",
    "time_series": "declare fewer folds",
}


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows by their position in the training matrix.

    Attributes:
        train: To be fitted on, ascending.
        valid: To be scored, ascending; none of them is fitted on.
    """

    train: NDArray[np.intp]
    valid: NDArray[np.intp]


def deal(
    rule: ValidationConfig,
    units: NDArray[np.uint64],
    seed: int,
    classes: NDArray[Any] | None = None,
) -> list[Fold]:
    """The folds, those of the first repeat first.

    Args:
        rule: A scheme with folds.
        units: The hash of each row's key or group, or the rank of its time, shape ``(n_rows,)``.
        seed: Tells the repeats apart.
        classes: Class of each row where each fold is to have its share of each.
    """
    if rule.scheme == "time_series":
        return _by_time(units, rule.folds)
    dealt = []
    for repeat in range(rule.repeats):
        salt = np.uint64(derive(seed, "repeat", repeat))
        hashes = finished(units ^ salt)
        numbers = _by_hash(hashes, rule.folds)
        if classes is not None:
            for label in np.unique(classes):
                own = classes == label
                numbers[own] = _by_rank(hashes[own], rule.folds)
        dealt += [_fold(numbers == number) for number in range(rule.folds)]
    return dealt


def check_folds(
    folds: Sequence[Fold], y: NDArray[Any], n_classes: int, rule: ValidationConfig
) -> None:
    """Refuse folds on which nothing could be fitted or compared.

    Args:
        folds: What was dealt.
        y: Class index, or value, of each row.
        n_classes: Classes there are; 0 for a regression.
        rule: What was declared.

    Raises:
        DataError: A fold has no rows, no class to tell from another, or is to be scored by a fit
            that has not seen every class.
    """
    where = Where(key="validation.folds")
    for number, fold in enumerate(folds):
        named = f"fold {number % rule.folds + 1} of {rule.folds}"
        if not fold.valid.size or not fold.train.size:
            got = f"{named} has {fold.valid.size} rows, and {fold.train.size} to be fitted on"
            raise DataError(
                "a fold has no rows", got, "rows in each", _MORE_ROWS[rule.scheme], where
            )
        if not n_classes:
            continue
        hint = _MORE_CLASSES[rule.scheme]
        fitted, scored = (np.unique(y[rows]).size for rows in (fold.train, fold.valid))
        if fitted < n_classes:
            got = f"{fitted} of {n_classes} classes in the rows that {named} is fitted on"
            raise DataError("a fold lacks a class", got, "rows of each class", hint, where)
        if scored < 2:
            got = f"{fold.valid.size} rows of one class in {named}"
            raise DataError("a fold has one class", got, "two classes or more", hint, where)


def _by_hash(hashes: NDArray[np.uint64], n_folds: int) -> NDArray[np.intp]:
    """Equal ranges of hashes, as the shares of the split are."""
    high = hashes >> np.uint64(32)
    return ((high * np.uint64(n_folds)) >> np.uint64(32)).astype(np.intp)


def _by_rank(hashes: NDArray[np.uint64], n_folds: int) -> NDArray[np.intp]:
    """Equal numbers of rows in the order of their hashes; rows of one hash stay together."""
    at = np.searchsorted(np.sort(hashes), hashes, side="left")
    numbers: NDArray[np.intp] = at * n_folds // hashes.size
    return numbers


def _by_time(ranks: NDArray[np.uint64], n_folds: int) -> list[Fold]:
    """Each fold after all that came before it; rows of one time are never parted."""
    ordered = np.sort(ranks)
    size = ordered.size // (n_folds + 1)
    if not size:
        nobody = np.zeros(0, dtype=np.intp)
        return [Fold(nobody, nobody)] * n_folds
    starts = [ordered[ordered.size - at * size] for at in range(n_folds, 0, -1)]
    ends = [*starts[1:], ordered[-1] + np.uint64(1)]
    return [
        Fold(np.flatnonzero(ranks < start), np.flatnonzero((ranks >= start) & (ranks < end)))
        for start, end in zip(starts, ends, strict=True)
    ]


def _fold(is_scored: NDArray[np.bool_]) -> Fold:
    return Fold(np.flatnonzero(~is_scored), np.flatnonzero(is_scored))
