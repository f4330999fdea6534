"""Where values lie in blocks: which steps go together, and how a step's rows are found.

Rows that stand together in a block are a view of it, so a step of many columns copies nothing.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.graph import Graph
    from mlops_ray.features.values import Node, Output

__all__ = ["gatherer", "scheduled", "writer"]

Place = tuple[int, int]  # Block and row.
Blocks = list["NDArray[np.float64]"]


def scheduled(graph: Graph) -> list[list[Node]]:
    """The steps in an order in which they can be computed, those of one key together.

    A key is put off while a step of it still waits for another, so that it is computed once.
    """
    ready = {ref for _, ref in graph.numbers.values()} | {table.ref for table in graph.tables}
    waiting, groups = list(graph.nodes), []
    while waiting:
        able: dict[Hashable, list[Node]] = {}
        unable: dict[Hashable, list[Node]] = {}
        for node in waiting:
            nodes = able if ready.issuperset(node.inputs) else unable
            nodes.setdefault(node.key, []).append(node)
        # Every key of which no step waits: a round for each would cost the square of the steps.
        keys = [key for key in able if key not in unable] or [next(iter(able))]
        found = [able[key] for key in keys]
        taken = {id(node) for group in found for node in group}
        waiting = [node for node in waiting if id(node) not in taken]
        ready.update(ref for group in found for node in group for ref in node.outputs)
        groups += found
    return groups


def _runs(places: Sequence[Place]) -> list[tuple[int, slice]]:
    """Places as slices of blocks, in their order."""
    numbered = enumerate(places)
    grouped = groupby(numbered, key=lambda item: (item[1][0], item[1][1] - item[0]))
    runs = []
    for (block, _), items in grouped:
        rows = [row for _, (_, row) in items]
        runs.append((block, slice(rows[0], rows[-1] + 1)))
    return runs


def gatherer(places: Sequence[Place]) -> Callable[[Blocks], NDArray[np.float64]]:
    """A function that takes the rows at some places out of the blocks, in order."""
    runs = _runs(places)
    if len(runs) == 1:
        ((block, rows),) = runs
        return lambda blocks: blocks[block][rows]
    if len({block for block, _ in runs}) == 1:
        block, at = runs[0][0], np.array([row for _, row in places], dtype=np.intp)
        return lambda blocks: blocks[block][at]
    return lambda blocks: np.concatenate([blocks[block][rows] for block, rows in runs])


def writer(
    outputs: Sequence[Output], at: dict[int, Place]
) -> tuple[list[tuple[int, Any, Any]], Callable[[Blocks], NDArray[np.float64]]]:
    """How values get into the matrix: block, rows of it, columns; and all values in their order.

    Columns of one block are written together, as a slice where they stand together.
    """
    found = [(at[o.ref], column) for column, o in enumerate(outputs) if o.ref is not None]
    writers: list[tuple[int, Any, Any]] = []
    for block in sorted({place[0] for place, _ in found}):
        pairs = sorted((row, column) for (in_block, row), column in found if in_block == block)
        rows, columns = ([pair[side] for pair in pairs] for side in (0, 1))
        writers.append((block, _as_slice(rows), _as_slice(columns)))
    places = [place for place, _ in found]
    return writers, gatherer(places) if places else lambda blocks: blocks[0][:0]


def _as_slice(positions: list[int]) -> Any:  # noqa: ANN401 - what numpy takes as an index
    if positions == list(range(positions[0], positions[0] + len(positions))):
        return slice(positions[0], positions[-1] + 1)
    return np.array(positions, dtype=np.intp)
