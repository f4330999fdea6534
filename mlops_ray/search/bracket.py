"""Trials that are compared with each other: at each rung all of them end before any goes on."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.search.halving import Halving
    from mlops_ray.search.step import Step
    from mlops_ray.search.trial import TrialRecord

__all__ = ["Bracket"]


class Bracket:
    """One bracket of halved trials.

    Args:
        steps: Its trials, as steps to their first rung.
        rungs: What each rung ends at; the last is that of a whole trial.
        halving: Who goes on from a rung.
    """

    def __init__(self, steps: Sequence[Step], rungs: Sequence[float], halving: Halving) -> None:
        self._steps = {step.index: step for step in steps}
        self._rungs = list(rungs)
        self._halving = halving
        self._rung = 0
        self._records: dict[int, TrialRecord] = {}
        self._passed: dict[int, tuple[tuple[float, float | None], ...]] = {}
        self._ahead: list[tuple[float, int]] = []  # The worst first, so ranks with their signs off.
        self._beaten: list[int] = []

    def ready(self) -> list[Step]:
        """The steps of the rung that has been reached; asked for once a rung."""
        rung, by = self._rungs[self._rung], self._halving.by
        return [step.up_to(rung, by) for step in self._steps.values()]

    def tell(self, record: TrialRecord) -> tuple[list[TrialRecord], list[Step]]:
        """Take the record of a step.

        Returns:
            The records of the trials that end by it, and the steps that become ready.
        """
        index = record.index
        passed = self._passed[index] = (*self._passed.get(index, ()), *record.rungs)
        self._records[index] = record
        self._rank(record)
        is_last = self._rung == len(self._rungs) - 1
        ended = [replace(record, rungs=passed)] if is_last or record.value is None else []
        if is_last or len(self._records) < len(self._steps):
            return ended, []
        return self._next_rung(ended)

    def take_beaten(self) -> list[int]:
        """Trials that cannot go on, although their rung is not over: enough others are ahead.

        Each is told once.
        """
        beaten, self._beaten = self._beaten, []
        return beaten

    def _rank(self, record: TrialRecord) -> None:
        if record.value is None:
            return
        value, index = self._halving.rank(record.value, record.index)
        heapq.heappush(self._ahead, (-value, -index))
        if len(self._ahead) > self._halving.n_survivors(len(self._steps)):
            self._beaten.append(-heapq.heappop(self._ahead)[1])

    def _next_rung(self, ended: list[TrialRecord]) -> tuple[list[TrialRecord], list[Step]]:
        records = [self._records[index] for index in sorted(self._records)]
        going_on = set(self._halving.survivors(records))
        ended += [
            _pruned(record, self._passed[record.index])
            for record in records
            if record.index not in going_on and record.value is not None
        ]
        self._steps = {index: step for index, step in self._steps.items() if index in going_on}
        self._records, self._ahead = {}, []
        self._rung += 1
        return ended, self.ready()


def _pruned(record: TrialRecord, rungs: tuple[tuple[float, float | None], ...]) -> TrialRecord:
    changes: Mapping[str, Any] = {"status": "pruned", "value": None, "rungs": rungs}
    return replace(record, **changes)
