"""Which steps a search consists of: asked in generations, told in the order of their indices.

An agenda is a function of its searcher and of the records it is told, and of nothing else: neither
how many steps run at once nor the order in which they end can change what it asks for. Only a time
budget can end it early, at the end of a generation. Ray-free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mlops_ray.search.bracket import Bracket
from mlops_ray.search.step import Step, trial_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlops_ray.search.halving import Halving
    from mlops_ray.search.trial import TrialRecord

__all__ = ["Agenda", "Searcher"]


class Searcher(Protocol):
    """What draws the trials: a function of its space, its seed and what it is told.

    Attributes:
        learns: Whether what it is told can change what it draws next. Trials of one that does not
            never wait for the end of a generation.
    """

    @property
    def learns(self) -> bool: ...  # noqa: D102 - see the class

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """Parameters of `n` trials from index `first` on; called once a generation, in order."""
        ...

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Take the records of a whole generation, in the order of their indices.

        Before it is asked for anything it may be told the records of an earlier search.
        """
        ...


class Agenda:
    """The steps of one search.

    Args:
        searcher: What draws the trials.
        n_trials: Trials of the search.
        generation: Trials that are asked for at once.
        seed: Seed of the search.
        halving: How trials are cut down; None where each runs to its end.
        is_over: Asked before each generation but the first; where it is, none is dealt any more.
    """

    def __init__(
        self,
        searcher: Searcher,
        n_trials: int,
        generation: int,
        seed: int,
        halving: Halving | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._searcher = searcher
        self._n_trials = n_trials
        self._generation = generation
        self._seed = seed
        self._halving = halving
        self._is_over = is_over
        self._n_asked = 0
        self._n_told = 0
        self._records: dict[int, TrialRecord] = {}
        self._brackets: dict[int, Bracket] = {}
        self._going_on: list[Step] = []
        self._beaten: list[int] = []

    @property
    def n_trials(self) -> int:
        """Trials of the search; once its time is over, those that were dealt."""
        return self._n_trials

    @property
    def n_ended(self) -> int:
        """Trials that have their record."""
        return len(self._records)

    @property
    def is_done(self) -> bool:
        """Whether every trial has its record."""
        return self.n_ended == self._n_trials

    @property
    def records(self) -> list[TrialRecord]:
        """The records that there are, by index."""
        return [self._records[index] for index in sorted(self._records)]

    def ready(self) -> list[Step]:
        """Steps that can run now and were not given before; none while they wait for records.

        Those of trials that go on from a rung, else those of the next generation.
        """
        going_on, self._going_on = self._going_on, []
        return going_on or self._next_generation()

    def tell(self, record: TrialRecord) -> list[TrialRecord]:
        """Take the record of a step; returns those of the trials that end by it."""
        bracket = self._brackets.get(record.index)
        ended = [record]
        if bracket is not None:
            ended, going_on = bracket.tell(record)
            self._going_on += going_on
            self._beaten += bracket.take_beaten()
        self._records |= {record.index: record for record in ended}
        self._tell_generations()
        return ended

    def take_beaten(self) -> list[int]:
        """Trials that cannot go on from a rung that is not over yet; each is told once."""
        beaten, self._beaten = self._beaten, []
        return beaten

    def _next_generation(self) -> list[Step]:
        if self._searcher.learns and self._n_told < self._n_asked:
            return []
        first = self._n_asked
        if self._is_over() and first:
            self._n_trials = first
        n = min(self._generation, self._n_trials - first)
        if n == 0:
            return []
        self._n_asked += n
        drawn = self._searcher.ask(first, n)
        steps = [
            Step(index, params, trial_seed(self._seed, index))
            for index, params in enumerate(drawn, start=first)
        ]
        return steps if self._halving is None else self._bracketed(steps, self._halving)

    def _bracketed(self, steps: list[Step], halving: Halving) -> list[Step]:
        ready: list[Step] = []
        for number, n in enumerate(halving.shares(len(steps))):
            part, steps = steps[:n], steps[n:]
            if part:
                bracket = Bracket(part, halving.rungs[number:], halving)
                self._brackets |= {step.index: bracket for step in part}
                ready += bracket.ready()
        return ready

    def _tell_generations(self) -> None:
        while self._n_told < self._n_asked:
            end = min(self._n_told + self._generation, self._n_trials)
            generation = range(self._n_told, end)
            if not all(index in self._records for index in generation):
                return
            self._n_told = end
            self._searcher.tell([self._records[index] for index in generation])
