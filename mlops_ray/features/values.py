"""What a graph of values consists of: tables, indicators, steps on numbers, outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from mlops_ray.features.codes import Coder
    from mlops_ray.features.steps.step import Fitted, Kernel

__all__ = ["Indicator", "Node", "Output", "Table"]


@dataclass(frozen=True)
class Table:
    """A number for each code.

    Attributes:
        coder: Makes the codes.
        ways: For each fold left out and then for none, the numbers by code; one way without folds.
        refused: Codes of values that may not be used.
        ref: The value.
    """

    coder: Coder
    ways: list[list[float]]
    refused: frozenset[int]
    ref: int


@dataclass(frozen=True)
class Indicator:
    """One output of several that is not 0, for each code.

    Attributes:
        coder: Makes the codes.
        places: For each code its output, from 0, or None.
        weights: What stands there.
        refused: Codes of values that may not be used.
        start: The matrix' column of output 0.
    """

    coder: Coder
    places: list[int | None]
    weights: list[float]
    refused: frozenset[int]
    start: int


@dataclass(frozen=True)
class Node:
    """One step on numbers.

    Attributes:
        key: Nodes of equal keys are computed in one call.
        kernel: Arithmetic of several nodes of the key, from what was fitted for each.
        fitted: What was fitted.
        refuses: Whether a result that does not exist is an error.
        only_fills: Whether values stay as they are unless one is missing.
        inputs: Values that come in.
        outputs: Values that come out.
        columns: The input columns, for messages.
    """

    key: Hashable
    kernel: Callable[[Sequence[Fitted]], Kernel]
    fitted: Fitted
    refuses: bool
    only_fills: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """One column of the matrix.

    Attributes:
        name: Its name.
        ref: The value; None where an indicator writes it.
        columns: The input columns that it is made of.
    """

    name: str
    ref: int | None
    columns: tuple[str, ...]
