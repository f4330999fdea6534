"""Which steps a search consists of: asked in generations, told in the order of their indices.

An agenda is a function of its searcher and of the records it is told, and of nothing else: neither
how many steps run at once nor the order in which they end can change what it asks for. Ray-free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mlops_ray.runtime.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.search.trial import TrialRecord

__all__ = ["Agenda", "Searcher", "Step", "trial_seed"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a slot does at a time: one trial.

    Attributes:
        index: Position of the trial in the search, from 0.
        params: What was drawn for it.
        seed: Seed of its fit.
    """

    index: int
    params: Mapping[str, Any]
    seed: int


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


def trial_seed(seed: int, index: int) -> int:
    """Seed of the fit of one trial; the refit of the best trial uses it too."""
    return derive(seed, "trial", index)


class Agenda:
    """The steps of one search.

    Args:
        searcher: What draws the trials.
        n_trials: Trials of the search.
        generation: Trials that are asked for at once.
        seed: Seed of the search.
    """

    def __init__(self, searcher: Searcher, n_trials: int, generation: int, seed: int) -> None:
        self._searcher = searcher
        self._n_trials = n_trials
        self._generation = generation
        self._seed = seed
        self._n_asked = 0
        self._n_told = 0
        self._records: dict[int, TrialRecord] = {}

    @property
    def n_trials(self) -> int:
        """Trials of the search."""
        return self._n_trials

    @property
    def is_done(self) -> bool:
        """Whether every trial has its record."""
        return len(self._records) == self._n_trials

    @property
    def records(self) -> list[TrialRecord]:
        """The records that there are, by index."""
        return [self._records[index] for index in sorted(self._records)]

    def ready(self) -> list[Step]:
        """Steps of the next generation; none while it depends on records that are missing."""
        if self._searcher.learns and self._n_told < self._n_asked:
            return []
        first = self._n_asked
        n = min(self._generation, self._n_trials - first)
        if n == 0:
            return []
        self._n_asked += n
        drawn = self._searcher.ask(first, n)
        return [
            Step(index, params, trial_seed(self._seed, index))
            for index, params in enumerate(drawn, start=first)
        ]

    def tell(self, record: TrialRecord) -> None:
        """Take the record of a step; records of a generation go on once it is whole."""
        self._records[record.index] = record
        while self._n_told < self._n_asked:
            end = min(self._n_told + self._generation, self._n_trials)
            generation = range(self._n_told, end)
            if not all(index in self._records for index in generation):
                return
            self._n_told = end
            self._searcher.tell([self._records[index] for index in generation])
