"""Working on units: the port that both ways of running share, and the one without Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.data.unit import Unit

__all__ = ["UnitMap", "map_in_process"]


class UnitMap(Protocol):
    """Calls a function on every unit; which machine does it must not show in the answers."""

    def __call__(self, fn: Callable[[Unit], bytes], units: Sequence[Unit]) -> list[bytes]:
        """Answers of `fn` in the order of `units`.

        Args:
            fn: Picklable; a pure function of its unit.
            units: What to work on.

        Raises:
            MlopsRayError: What `fn` raised; of several failing units the first one's.
        """


def map_in_process(fn: Callable[[Unit], bytes], units: Sequence[Unit]) -> list[bytes]:
    """A `UnitMap` for small inputs: one unit after the other in this process.

    Example:
        >>> map_in_process(lambda unit: unit.name.encode(), [])
        []
    """
    return [fn(unit) for unit in units]
