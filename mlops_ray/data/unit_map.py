"""Working on units: the port that both ways of running share, and the one without Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.data.unit import Unit

__all__ = ["Combine", "UnitMap", "add_answer", "map_in_process"]

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
