"""Working on units: the port that both ways of running share, and the one without Ray."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.data.unit import Unit

__all__ = ["Combine", "UnitMap", "add_answer", "falling_runs", "map_in_process"]

# Makes one answer of several; in whatever groups it is done, the last one is the same.
Combine: TypeAlias = "Callable[[Sequence[bytes]], bytes]"
_MAX_ANSWERS: Final = 16  # Held by one process before they are combined.


class UnitMap(Protocol):
    """Calls a function on every unit; which machine does it must not show in the answers."""

    def __call__(
        self, fn: Callable[[Unit], bytes], units: Sequence[Unit], combine: Combine | None = None
    ) -> list[bytes]:
        """Answers of `fn` in the order of `units`.

        Args:
            fn: Picklable; a pure function of its unit.
            units: What to work on.
            combine: Picklable; makes one answer of those of neighbouring units where they are
                found, so that fewer come back than there are units.

        Raises:
            MlopsRayError: What `fn` raised; of several failing units the first one's.
        """


def map_in_process(
    fn: Callable[[Unit], bytes], units: Sequence[Unit], combine: Combine | None = None
) -> list[bytes]:
    """A `UnitMap` for small inputs: one unit after the other in this process.

    Example:
        >>> map_in_process(lambda unit: unit.name.encode(), [])
        []
    """
    answers: list[bytes] = []
    for unit in units:
        add_answer(answers, fn(unit), combine)
    return answers


def add_answer(answers: list[bytes], answer: bytes, combine: Combine | None) -> None:
    """Append an answer; combine them when they have become many, so that memory stays bounded."""
    answers.append(answer)
    if combine is not None and len(answers) >= _MAX_ANSWERS:
        answers[:] = [combine(answers)]


def falling_runs(n_units: int, n_workers: int, n_rounds: int) -> list[range]:
    """Neighbouring units for each task: a round for all workers, one of shorter runs, and so on.

    So the workers end together, though some units take longer.

    Example:
        >>> [len(run) for run in falling_runs(12, 2, 3)]
        [3, 3, 2, 2, 1, 1]
    """
    weights = [n_rounds - task // n_workers for task in range(min(n_units, n_rounds * n_workers))]
    bounds = [n_units * weight // sum(weights) for weight in accumulate(weights, initial=0)]
    return [range(*pair) for pair in pairwise(bounds) if pair[0] < pair[1]]
