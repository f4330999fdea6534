"""XGBoost on rows that come in batches: quantised on disk, or shared out among several processes.

A matrix on disk is read page by page, a page for each batch, in every round of boosting. Wherever
it was compared, the booster had the bytes of one fitted in memory to the same rows in their order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost
from xgboost import collective

from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance
from mlops_ray.models.training_checks import check_class_indices, check_training_inputs
from mlops_ray.models.xgboost_training import (
    Quantised,
    XGBoostTraining,
    base_score,
    base_score_of_shares,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

    Batches = Callable[[], Iterator[tuple[NDArray[np.float32], NDArray[Any]]]]

__all__ = ["StreamedRows", "external_training", "shared_training"]

_CACHE: Final = "quantised"  # XGBoost adds a name of its own to it.


@dataclass(frozen=True, slots=True)
class StreamedRows:
    """Rows in batches that can be gone through again and again.

    Attributes:
        batches: Begins a pass; each batch has arrays of its own, the same in every pass.
        y: All targets, shape ``(n_rows,)``.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
    """

    batches: Batches
    y: NDArray[np.int32] | NDArray[np.float64]
    task: Task
    n_classes: int

    def only(self, rows: NDArray[np.intp]) -> StreamedRows:
        """Some of the rows, by their position, ascending; batches without any are left out."""
        return StreamedRows(
            partial(_only, self.batches, rows), self.y[rows], self.task, self.n_classes
        )


def external_training(
    rows: StreamedRows, threads: int, folder: Path, guidance: Guidance = NO_GUIDANCE
) -> XGBoostTraining:
    """Training on rows that are quantised to files of a folder.

    Args:
        rows: The rows, in their order.
        threads: Threads of one fit.
        folder: For the files; they are of no use to anybody else.
        guidance: Constraints of the fits.

    Raises:
        ModelError: The rows cannot be used.
    """
    if not rows.y.size:
        raise ModelError("there are no training rows")
    if rows.task != "regression":
        check_class_indices(rows.y, rows.n_classes)
    quantise = partial(_on_disk, rows, threads, folder)
    score = base_score(rows.y, rows.task)
    return XGBoostTraining(quantise, score, rows.task, rows.n_classes, threads, guidance)


def shared_training(
    rows: StreamedRows, threads: int, guidance: Guidance = NO_GUIDANCE
) -> XGBoostTraining:
    """Training of one booster by all processes of XGBoost's collective, each on rows of its own.

    Bins, gradients and base score are those of all rows; each process gets the same booster.

    Args:
        rows: This process's rows, in their order.
        threads: Threads of this process.
        guidance: Constraints of the fits.

    Raises:
        ModelError: A process has no rows, or they cannot be used.
    """
    counts = _of_each(rows.y.size)
    if not counts.all():
        raise ModelError(
            "a worker of a distributed fit has no training rows",
            f"worker {int(np.argmin(counts))} of {counts.size}",
            hint="declare fewer 'model.workers', or write the table in more files or row groups",
        )
    quantise = partial(_in_memory, rows, threads)
    score = _score_of_all(rows)
    return XGBoostTraining(quantise, score, rows.task, rows.n_classes, threads, guidance)


class _Pages(xgboost.DataIter):
    """The batches as XGBoost asks for them, several times over."""

    def __init__(self, batches: Batches, cache_prefix: str | None) -> None:
        self._begin = batches
        self._pass = batches()
        super().__init__(cache_prefix=cache_prefix, on_host=False)

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Hand over the next batch; whether there was one."""
        for X, y in self._pass:
            check_training_inputs(X, y)
            input_data(data=X, label=y)
            return True
        return False

    def reset(self) -> None:
        """Begin again."""
        self._pass = self._begin()


def _only(
    batches: Batches, rows: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.float32], NDArray[Any]]]:
    start = 0
    for X, y in batches():
        first, end = np.searchsorted(rows, (start, start + y.size))
        here = rows[first:end] - start
        start += y.size
        if here.size:
            yield X[here], y[here]


def _on_disk(rows: StreamedRows, threads: int, folder: Path, max_bin: int) -> Quantised:
    pages = _Pages(rows.batches, str(folder / _CACHE))
    return xgboost.ExtMemQuantileDMatrix(pages, nthread=threads, max_bin=max_bin)


def _in_memory(rows: StreamedRows, threads: int, max_bin: int) -> Quantised:
    return xgboost.QuantileDMatrix(_Pages(rows.batches, None), nthread=threads, max_bin=max_bin)


def _of_each(value: float) -> NDArray[np.float64]:
    """A number of each process, in the order of their ranks; sums with zero are exact."""
    own = np.zeros(collective.get_world_size())
    own[collective.get_rank()] = value
    return np.asarray(collective.allreduce(own, collective.Op.SUM))


def _score_of_all(rows: StreamedRows) -> float | list[float]:
    if rows.task == "regression":
        sums, counts = _of_each(math.fsum(rows.y.tolist())), _of_each(rows.y.size)
        return math.fsum(sums.tolist()) / math.fsum(counts.tolist())
    own = np.bincount(rows.y.astype(np.int64), minlength=rows.n_classes)
    counts = collective.allreduce(own, collective.Op.SUM)
    check_class_indices(np.flatnonzero(counts).astype(np.int32), rows.n_classes)
    return base_score_of_shares((counts / counts.sum()).tolist(), rows.task)
