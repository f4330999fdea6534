"""How a running search stands, kept up with every trial at the cost of a few comparisons."""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from mlops_ray.search.budget import Budget
from mlops_ray.telemetry.standing import Standing, TrialLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.search.agenda import Agenda
    from mlops_ray.search.cpu_use import CpuUse
    from mlops_ray.search.trial import TrialRecord

__all__ = ["Scoreboard"]

_MOST_LEADERS: Final = 20


class Scoreboard:
    """Counts trials, ranks the best of them and estimates the time that is left.

    Args:
        agenda: The search.
        metric: Name of the objective.
        mode: The direction of the objective that is better.
        use: CPUs of its slots.
        budget: Time of the search.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        agenda: Agenda,
        metric: str,
        mode: Literal["max", "min"],
        use: CpuUse,
        budget: Budget | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agenda = agenda
        self._metric = metric
        self._sign = -1.0 if mode == "max" else 1.0
        self._use = use
        self._budget = budget or Budget(None)
        self._clock = clock
        self._ranked: list[tuple[float, int, TrialLine]] = []
        self._leaders: tuple[TrialLine, ...] = ()
        self._counts: Counter[str] = Counter()
        self._counted: set[int] = set()
        self._first_end_s: float | None = None
        self._n_before = 0

    def standing(self, record: TrialRecord) -> Standing:
        """How the search stands, now that a trial has ended and is in the agenda."""
        now_s, done, total = self._clock(), self._agenda.n_ended, self._agenda.n_trials
        if self._first_end_s is None:
            # The first trial also pays the start of the workers; it would make the estimate absurd.
            self._first_end_s, self._n_before = now_s, done
            for known in self._agenda.records:
                self._count(known)
        last = self._count(record)
        return Standing(
            done=done,
            total=total,
            last=last,
            metric=self._metric,
            leaders=self._leaders,
            counts=dict(self._counts),
            eta_s=self._eta_s(now_s - self._first_end_s, done - self._n_before, total - done),
            cpus_used=self._use.cpus_used,
            cpus=self._use.cpus,
        )

    def _eta_s(self, seconds: float, n_done: int, n_open: int) -> float | None:
        """As long as it takes at this pace, or until the time of the search is over."""
        eta_s = seconds / n_done * n_open if n_done else None
        left_s = self._budget.left_s
        return min((x for x in (eta_s, left_s) if x is not None), default=None)

    def _count(self, record: TrialRecord) -> TrialLine:
        """Count a trial once; those that end with the first are already known by then."""
        line = TrialLine(record.index, record.status, record.value, record.params)
        if record.index in self._counted:
            return line
        self._counted.add(record.index)
        self._counts[record.status] += 1
        if record.value is not None:
            key = (self._sign * record.value, record.index, line)
            if len(self._ranked) < _MOST_LEADERS or key[:2] < self._ranked[-1][:2]:
                insort(self._ranked, key, key=lambda item: item[:2])
                del self._ranked[_MOST_LEADERS:]
                self._leaders = tuple(item[2] for item in self._ranked)
        return line
