"""The compiled arithmetic: a few calls of numpy for all features, for a batch and for one row.

Everything works on blocks of shape ``(k, n_rows)``, one row a value, so equal steps of k columns
are one call. Every operation works on each element by itself, so a row's features have the same
bits alone and among others; the number of rows in a chunk does not show either.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from mlops_ray.features.layout import gatherer, scheduled, writer
from mlops_ray.features.lookup import Refusal, lookup
from mlops_ray.features.sparse import Entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from mlops_ray.features.codes import Coder
    from mlops_ray.features.graph import Graph
    from mlops_ray.features.steps.step import Kernel

__all__ = ["Blocks", "Program"]

_Pieces: TypeAlias = "tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]]"
_ROWS_A_CHUNK: Final = 8192  # What lies between two steps stays in the processor's cache.
_NO_PLACE: Final = 2**62
_TOO_LARGE: Final = "a value is infinite or too large for the model's 32-bit features"
_MISSING: Final = "a value is missing, and the model takes no missing values"
_UNDEFINED: Final = "a step has no result for the value"


class Blocks(NamedTuple):
    """Decoded input rows.

    Attributes:
        numbers: Shape ``(n_number_columns, n_rows)``; NaN is a missing value.
        codes: Shape ``(n_coders, n_rows)``.
        has_nulls: Whether a number may be missing.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.int32]
    has_nulls: bool = True


@dataclass(frozen=True, slots=True)
class _Operation:
    """Steps of one key: where their input lies, what is done, what it may not give.

    `only_fills` marks steps that leave a column of the input as it is unless a value is missing.
    """

    gather: Callable[[list[NDArray[np.float64]]], NDArray[np.float64]]
    kernel: Kernel
    refuses: bool
    only_fills: bool
    columns: tuple[tuple[str, ...], ...]


class Program:
    """Computes all features of a graph.

    Attributes:
        number_columns: Name and logical type of each row of the number block.
        coders: What makes each row of the code block; those of one time column stand together.
        n_outputs: Columns of the matrix.
        has_folds: Whether training rows have features of their own.
    """

    def __init__(self, graph: Graph) -> None:
        nodes = scheduled(graph)
        self._outputs = graph.outputs
        self.n_outputs = len(graph.outputs)
        self.number_columns = _number_columns(graph)
        lanes = [(t.coder, t.ways, t.refused) for t in graph.tables]
        self.coders = _coders([c for c, _, _ in lanes] + [i.coder for i in graph.indicators])
        self._lookup, table = lookup(self.coders, lanes)
        self._table = table.astype(np.float64)
        self.has_folds = any(len(ways) > 1 for _, ways, _ in lanes)
        places = [(i.coder, [_places(i)], i.refused) for i in graph.indicators]
        self._indicators, found = lookup(self.coders, places)
        self._places = found.astype(np.int64)
        # In a single row, what has no place goes right behind it.
        self._places_alone = np.minimum(self._places, self.n_outputs)
        weights = [w for i in graph.indicators for w in i.weights]
        has_weights = bool(set(weights) - {0.0, 1.0})
        self._weights = np.array(weights, np.float32) if has_weights else None
        at = {ref: (0, row) for row, (_, _, ref) in enumerate(self.number_columns)}
        at |= {t.ref: (1, row) for row, t in enumerate(graph.tables)}
        self._operations = [_operation(group, at, n + 2) for n, group in enumerate(nodes)]
        self._writers, self._lanes = writer(graph.outputs, at)
        self._lane_columns = [at for at, o in enumerate(graph.outputs) if o.ref is not None]

    def matrix(
        self,
        blocks: Blocks,
        *,
        accepts_missing: bool,
        folds: NDArray[np.uint64] | None = None,
    ) -> NDArray[np.float32]:
        """The feature matrix, C-contiguous, shape ``(n_rows, n_outputs)``.

        Args:
            blocks: Decoded rows.
            accepts_missing: Whether NaN may stay.
            folds: For training rows, a number each that decides its fold.

        Raises:
            Refusal: A value cannot be used.
        """
        n_rows = blocks.codes.shape[1]
        if n_rows <= _ROWS_A_CHUNK:
            return self._chunk(blocks, folds, accepts_missing=accepts_missing)
        matrix = np.empty((n_rows, self.n_outputs), dtype=np.float32)
        for rows, part, of_part in _chunks(blocks, folds):
            with _row_of_all(rows.start):
                matrix[rows] = self._chunk(part, of_part, accepts_missing=accepts_missing)
        return matrix

    def entries(
        self,
        blocks: Blocks,
        *,
        accepts_missing: bool,
        folds: NDArray[np.uint64] | None = None,
    ) -> Iterator[Entries]:
        """The entries of `matrix` that are not 0.0, some rows at a time; see there.

        Raises:
            Refusal: A value cannot be used.
        """
        for rows, part, of_part in _chunks(blocks, folds):
            with _row_of_all(rows.start), np.errstate(over="ignore", invalid="ignore"):
                values = self._lanes(self._run(part, of_part)).astype(np.float32)
                self._check(values.T, self._lane_columns, accepts_missing=accepts_missing)
                found = [_of_lanes(values, self._lane_columns)]
                if self._indicators is not None:
                    found.append(self._of_indicators(self._indicators.at(part.codes, None)))
            at, columns, entries = map(np.concatenate, zip(*found, strict=True))
            yield Entries(at, columns, entries, part.codes.shape[1])

    def _of_indicators(self, at: NDArray[np.int64]) -> _Pieces:
        """Rows, columns and values of what the indicators write."""
        places = self._places.take(at)
        is_there = places < _NO_PLACE
        rows = np.nonzero(is_there)[1]
        if self._weights is None:
            return rows, places[is_there], np.ones(len(rows), dtype=np.float32)
        return rows, places[is_there], self._weights.take(at)[is_there]

    def values(
        self, blocks: Blocks, folds: NDArray[np.uint64] | None = None
    ) -> NDArray[np.float64]:
        """All outputs but indicators before they are rounded to float32, one a row.

        Raises:
            Refusal: A value cannot be used.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._lanes(self._run(blocks, folds))

    def _run(self, blocks: Blocks, folds: NDArray[np.uint64] | None) -> list[NDArray[np.float64]]:
        found = [blocks.numbers]
        if self._lookup is not None:
            found.append(self._table.take(self._lookup.at(blocks.codes, folds)))
        else:
            found.append(blocks.numbers[:0])
        for operation in self._operations:
            values = operation.gather(found)
            if operation.only_fills and not blocks.has_nulls:
                found.append(values)
                continue
            result = operation.kernel(values)
            if operation.refuses:
                _check_defined(values, result, operation.columns)
            found.append(result)
        return found

    def _chunk(
        self, blocks: Blocks, folds: NDArray[np.uint64] | None, *, accepts_missing: bool
    ) -> NDArray[np.float32]:
        n_rows = blocks.codes.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._run(blocks, folds)
            flat = self._indicated(blocks.codes, n_rows)
            matrix = flat.reshape(n_rows, self.n_outputs)
            for block, rows, columns in self._writers:
                matrix[:, columns] = found[block][rows].T
            # A product with itself is finite only if every value is, and costs least.
            if not math.isfinite(flat.dot(flat)):
                self._check(matrix, range(self.n_outputs), accepts_missing=accepts_missing)
        return matrix

    def _indicated(self, codes: NDArray[np.int32], n_rows: int) -> NDArray[np.float32]:
        """The matrix row by row, with what the indicators write, and zeros beside it."""
        size = n_rows * self.n_outputs
        if self._indicators is None:
            return np.empty(size, dtype=np.float32)
        flat = np.zeros(size + 1, dtype=np.float32)  # The last one is for what has no place.
        at = self._indicators.at(codes, None)
        if n_rows == 1:
            places = self._places_alone.take(at)
        else:
            places = self._places.take(at)
            places += np.arange(0, size, self.n_outputs)
            np.minimum(places, size, out=places)
        flat[places] = 1.0 if self._weights is None else self._weights.take(at)
        return flat[:size]

    def _check(
        self, matrix: NDArray[np.float32], columns: Sequence[int], *, accepts_missing: bool
    ) -> None:
        for bad, what in ((np.isinf(matrix), _TOO_LARGE), (np.isnan(matrix), _MISSING)):
            if bad.any() and (what is _TOO_LARGE or not accepts_missing):
                row, at = (int(index) for index in np.argwhere(bad)[0])
                raise Refusal(what, row, ", ".join(self._outputs[columns[at]].columns))


def _chunks(
    blocks: Blocks, folds: NDArray[np.uint64] | None
) -> Iterator[tuple[slice, Blocks, NDArray[np.uint64] | None]]:
    for start in range(0, max(blocks.codes.shape[1], 1), _ROWS_A_CHUNK):
        rows = slice(start, start + _ROWS_A_CHUNK)
        part = Blocks(blocks.numbers[:, rows], blocks.codes[:, rows], blocks.has_nulls)
        yield rows, part, None if folds is None else folds[rows]


@contextmanager
def _row_of_all(start: int) -> Iterator[None]:
    """A row that is refused in a chunk is told by its number among all."""
    try:
        yield
    except Refusal as refusal:
        raise Refusal(refusal.what, refusal.row + start, refusal.column) from None


def _of_lanes(values: NDArray[np.float32], columns: Sequence[int]) -> _Pieces:
    """Rows, columns and values of numbers that are not 0.0, from shape ``(n_lanes, n_rows)``."""
    lanes, rows = np.nonzero(values.view(np.uint32))
    return rows, np.array(columns, dtype=np.int64)[lanes], values[lanes, rows]


def _check_defined(
    values: NDArray[np.float64],
    result: NDArray[np.float64],
    columns: tuple[tuple[str, ...], ...],
) -> None:
    bad = np.isnan(result)
    missing = np.isnan(values)
    # A step of several columns may give nothing for any of them where one is missing.
    bad &= ~(missing if len(columns) == len(values) else missing.any(axis=0))
    if bad.any():
        row, at = (int(index) for index in np.argwhere(bad.T)[0])
        raise Refusal(_UNDEFINED, row, ", ".join(columns[min(at, len(columns) - 1)]))


def _number_columns(graph: Graph) -> list[tuple[str, Any, int]]:
    """Columns of equal first steps together, so that their rows need not be gathered."""
    first = {node.inputs[0]: str(node.key) for node in reversed(graph.nodes)}
    columns = [(name, dtype, ref) for name, (dtype, ref) in graph.numbers.items()]
    return sorted(columns, key=lambda item: first.get(item[2], ""))


def _coders(used: Sequence[Coder]) -> list[Coder]:
    """Each coder once; those of one column together."""
    distinct = list(dict.fromkeys(used))
    columns = list(dict.fromkeys(coder.column for coder in distinct))
    return sorted(distinct, key=lambda coder: columns.index(coder.column))


def _places(indicator: Any) -> list[int]:  # noqa: ANN401 - an Indicator
    return [_NO_PLACE if at is None else at + indicator.start for at in indicator.places]


def _operation(group: Sequence[Any], at: dict[int, tuple[int, int]], block: int) -> _Operation:
    refs = [ref for node in group for ref in node.inputs]
    outputs = [ref for node in group for ref in node.outputs]
    gather = gatherer([at[ref] for ref in refs])
    at |= {ref: (block, row) for row, ref in enumerate(outputs)}
    first = group[0]
    return _Operation(
        gather,
        first.kernel([node.fitted for node in group]),
        first.refuses,
        first.only_fills and all(at[ref][0] == 0 for ref in refs),
        tuple(node.columns for node in group),
    )
