"""Rows of a part on the disk of the worker that needs them, for matrices larger than its memory.

A unit is read, parted and transformed as for a matrix in memory, and its rows are written below a
folder, a file a unit and part; nothing is gathered. What reads them gets batches of a number of
rows that follows from the number of features alone, so that neither the cut of the input into files
nor the machine shows in what is fitted to them.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from mlops_ray.data.contract_pass import read_kept
from mlops_ray.data.split import SPLITS, SplitName, assign_split
from mlops_ray.data.thread_map import ThreadMap
from mlops_ray.features.target import target_values
from mlops_ray.features.unit_rows import MatrixPlan, features_of_rows
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mlops_ray.data.unit import Unit
    from mlops_ray.features.target import Target

__all__ = ["Spool", "SpoolUnit", "batch_rows", "spool", "spool_unit"]

# Writes the rows of a unit and says how many there are of each part.
SpoolUnit: TypeAlias = "Callable[[MatrixPlan, Path, Unit], bytes]"
_BATCH_CELLS: Final = 2**22  # 16 MiB of features.
_FEW_ROWS: Final = 1024


def batch_rows(n_features: int) -> int:
    """Rows of a batch, of so many features.

    Example:
        >>> batch_rows(16)
        262144
    """
    return max(_BATCH_CELLS // n_features, _FEW_ROWS)


@dataclass(frozen=True, slots=True)
class Spool:
    """Rows on disk, in the order of the units.

    Attributes:
        folder: Where they lie.
        n_features: Features of a row.
        is_classes: Whether targets are class indices, not values.
        counts: Part -> index of a unit -> its rows.
    """

    folder: Path
    n_features: int
    is_classes: bool
    counts: Mapping[SplitName, Mapping[int, int]]

    def n_rows(self, parts: Sequence[SplitName]) -> int:
        """Rows of some parts."""
        return sum(sum(self.counts[part].values()) for part in parts)

    def batches(self, parts: Sequence[SplitName]) -> Iterator[tuple[NDArray[np.float32], Target]]:
        """Features and targets of one part after another, in batches of `batch_rows`.

        The last batch may be shorter. Each has arrays of its own.
        """
        size, n_rows = batch_rows(self.n_features), self.n_rows(parts)
        y_type = np.dtype(np.int32 if self.is_classes else np.float64)
        with ExitStack() as stack:
            X = _Joined(self._paths(parts, "x"), stack)
            y = _Joined(self._paths(parts, "y"), stack)
            for start in range(0, n_rows, size):
                n = min(size, n_rows - start)
                features = np.frombuffer(X.read(n * self.n_features * 4), np.float32)
                targets = np.frombuffer(y.read(n * y_type.itemsize), y_type)
                yield features.reshape(n, self.n_features), targets

    def targets(self, parts: Sequence[SplitName]) -> Target:
        """All targets of some parts, shape ``(n_rows,)``."""
        y_type = np.int32 if self.is_classes else np.float64
        found = [np.fromfile(path, y_type) for path in self._paths(parts, "y")]
        y: Target = np.concatenate([np.empty(0, y_type), *found])
        return y

    def _paths(self, parts: Sequence[SplitName], kind: str) -> list[Path]:
        return [
            _path(self.folder, part, index, kind) for part in parts for index in self.counts[part]
        ]


class _Joined:
    """Files read one after another as if they were one."""

    def __init__(self, paths: Sequence[Path], stack: ExitStack) -> None:
        self._left = list(reversed(paths))
        self._stack = stack
        self._open = stack.enter_context(self._left.pop().open("rb")) if paths else None

    def read(self, n_bytes: int) -> bytearray:
        """Exactly so many bytes, of which there are enough."""
        data = bytearray(n_bytes)
        view = memoryview(data)
        while view and self._open is not None:
            n_read = self._open.readinto(view)
            view = view[n_read:]
            if not n_read:
                self._open.close()
                self._open = self._stack.enter_context(self._left.pop().open("rb"))
        return data


def spool(
    plan: MatrixPlan, units: Sequence[Unit], folder: Path, threads: int, work: SpoolUnit
) -> Spool:
    """Write the rows of the plan's parts, several units at a time.

    Args:
        plan: What the rows are made of.
        units: Where they are read.
        folder: An empty one of this worker.
        threads: Units at a time, at most.
        work: `spool_unit`, as it is guarded.

    Raises:
        DataError: A unit cannot be read or transformed.
    """
    answers = ThreadMap(threads)(partial(work, plan, folder), units)
    counted = [from_canonical(answer) for answer in answers]
    return Spool(
        folder,
        len(plan.transform.state.outputs),
        plan.labels is not None,
        {
            part: {u.index: n[part] for u, n in zip(units, counted, strict=True) if n[part]}
            for part in plan.parts
        },
    )


def spool_unit(plan: MatrixPlan, folder: Path, unit: Unit) -> bytes:
    """Write the rows of one unit that belong to the plan's parts; answers their numbers.

    Raises:
        ColumnError: A column cannot be used; see the contract.
    """
    table = read_kept(unit, plan.schema, plan.columns, plan.check)
    codes = assign_split(table, plan.schema, plan.split)
    counts = {}
    for part in plan.parts:
        rows = np.flatnonzero(codes == SPLITS.index(part))
        counts[part] = int(rows.size)
        if not rows.size:
            continue
        of_part, step = table.take(rows), batch_rows(len(plan.transform.state.outputs))
        target = of_part.column(plan.target)
        y = target_values(target, plan.schema, plan.target, plan.labels)
        y.tofile(_path(folder, part, unit.index, "y"))
        with _path(folder, part, unit.index, "x").open("wb") as stream:
            for start in range(0, rows.size, step):
                piece, marks = of_part.slice(start, step), codes[rows[start : start + step]]
                X = features_of_rows(plan.transform, piece, marks, plan.schema, plan.folds)
                X.tofile(stream)
    return canonical_bytes(counts)


def _path(folder: Path, part: str, index: int, kind: str) -> Path:
    return folder / f"{part}-{index:08}.{kind}"
