"""How many slots there are: all that the CPUs hold, fewer once they have run out of memory.

Where memory is short Ray ends workers, several at once and not only the one that took it, and Tune
gives up the whole experiment. So the slots are started again, half as many each time. Whether a
configuration takes too much shows where it runs alone; only then is it counted against it. Which
configurations run at the same time changes no record, so neither does this.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ray.exceptions import OutOfMemoryError

from mlops_ray.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_ray.search.dispatch import Dispatch

__all__ = ["Slots"]

# Of a single slot that was ended for want of memory before it could be given anything.
_MOST_FRUITLESS_STARTS: Final = 3


class Slots:
    """The number of slots of a search.

    Args:
        n: Slots at first.
        dispatch: Knows which steps they hold.
        note: Told when there are fewer.

    Attributes:
        n: Slots to start.
    """

    def __init__(self, n: int, dispatch: Dispatch, note: Callable[[str], None]) -> None:
        self.n = n
        self._dispatch = dispatch
        self._note = note
        self._fruitless_starts = 0

    @contextmanager
    def noticing_memory(self) -> Iterator[None]:
        """Around the work of all slots: where memory ends it, their steps are given back.

        Raises:
            ClusterError: Not even a single slot has the memory to begin.
        """
        try:
            yield
        except RuntimeError as error:  # Tune knows only errors of actors and of tasks.
            if not isinstance(error.__cause__, OutOfMemoryError):
                raise
            self._lessen(error.__cause__)

    def _lessen(self, error: OutOfMemoryError) -> None:
        n_held = self._dispatch.lose_all("out_of_memory", counts=self.n == 1)
        if self.n > 1:
            self.n //= 2
            at_once = "one configuration" if self.n == 1 else f"{self.n} configurations"
            self._note(f"Ray ended workers for want of memory: from now on {at_once} at a time")
            return
        self._fruitless_starts = 0 if n_held else self._fruitless_starts + 1
        if self._fruitless_starts == _MOST_FRUITLESS_STARTS:
            raise ClusterError(
                "the worker of the search is ended for want of memory as soon as it starts",
                f"{self._fruitless_starts} times in a row",
                hint="free memory, or join a cluster with more of it by --address",
            ) from error
