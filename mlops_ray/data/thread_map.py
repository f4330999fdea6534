"""Working on units in a few threads of this process: inputs for which Ray Data is not worth it.

Reading, numpy's loops and writing leave the interpreter to others, so two threads do nearly what
two processes would, without a second to start the other one.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from mlops_ray.data.unit_map import falling_runs, map_in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import Combine

__all__ = ["ThreadMap"]

_MAX_THREADS: Final = 4  # More of them wait for the interpreter.
_ROUNDS: Final = 3  # Of ever shorter runs of units, so that threads end together.


@dataclass(frozen=True, slots=True)
class ThreadMap:
    """A `UnitMap` in this process.

    Attributes:
        n_cpus: Most CPUs to use; by default those that this process may run on.
    """

    n_cpus: int | None = None

    def __call__(
        self, fn: Callable[[Unit], bytes], units: Sequence[Unit], combine: Combine | None = None
    ) -> list[bytes]:
        """The answers in the order of the units; see `UnitMap`.

        Example:
            >>> ThreadMap()(lambda unit: unit.name.encode(), [])
            []
        """
        n_cpus = self.n_cpus or len(os.sched_getaffinity(0))
        n_threads = min(_MAX_THREADS, n_cpus, len(units))
        if n_threads < 2:
            return map_in_process(fn, units, combine)
        runs = falling_runs(len(units), n_threads, _ROUNDS)
        tasks = [[units[at] for at in run] for run in runs]
        with ThreadPoolExecutor(n_threads, "units") as pool:
            try:
                found = pool.map(partial(_worked, fn, combine), tasks)
                return [answer for answers in found for answer in answers]
            finally:
                pool.shutdown(cancel_futures=True)  # After an error nobody wants the others.


def _worked(
    fn: Callable[[Unit], bytes], combine: Combine | None, units: Sequence[Unit]
) -> list[bytes]:
    answers = map_in_process(fn, units, combine)
    return answers if combine is None else [combine(answers)]
