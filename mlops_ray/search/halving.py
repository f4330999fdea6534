"""Successive halving and Hyperband without a clock: rungs, brackets and who goes on.

All trials of a bracket end a rung before any of them goes on, and those that do are chosen by
(objective, index). So who goes on does not depend on who came first.

Source: K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization" (2016), algorithm 1; L. Li et al., "Hyperband" (2018), algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_ray.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config.search import RungUnit
    from mlops_ray.search.trial import TrialRecord

__all__ = ["Halving", "rungs_up_to", "shares_down_to"]


@dataclass(frozen=True, slots=True)
class Halving:
    """How trials are cut down.

    Attributes:
        rungs: Rounds, or share of the training rows, at the end of each rung, growing; the last
            are those of a whole trial.
        eta: One of so many goes on from a rung.
        n_brackets: The first bracket starts at the first rung, the next at the second, and so on.
        mode: The direction of the objective that is better.
        by: What the rungs count.
    """

    rungs: tuple[float, ...]
    eta: int
    n_brackets: int
    mode: Literal["max", "min"]
    by: RungUnit = "rounds"

    def shares(self, n_trials: int) -> list[int]:
        """How many trials of a generation each bracket takes; those of later rungs are dearer.

        Example:
            >>> Halving((1, 3, 9), eta=3, n_brackets=3, mode="max").shares(17)
            [9, 5, 3]
        """
        last = len(self.rungs) - 1
        weights = [
            self.eta ** (last - bracket) * (last + 1) / (last - bracket + 1)
            for bracket in range(self.n_brackets)
        ]
        exact = [n_trials * weight / sum(weights) for weight in weights]
        counts = [int(count) for count in exact]
        by_rest = sorted(range(len(exact)), key=lambda b: (counts[b] - exact[b], b))
        for bracket in by_rest[: n_trials - sum(counts)]:
            counts[bracket] += 1
        return counts

    def rank(self, value: float, index: int) -> tuple[float, int]:
        """What trials are sorted by, the best first; of equals the earliest."""
        return (-value if self.mode == "max" else value), index

    def n_survivors(self, n_trials: int) -> int:
        """How many of the trials that entered a rung go on at most."""
        return max(1, n_trials // self.eta)

    def n_finishing(self, n_trials: int, generation: int) -> int:
        """How many trials of a search get to the end at most.

        Example:
            >>> Halving((1, 3, 9), eta=3, n_brackets=1, mode="max").n_finishing(21, generation=18)
            3
        """
        n_whole, n_rest = divmod(n_trials, generation)
        return n_whole * self._n_finishing(generation) + self._n_finishing(n_rest)

    def _n_finishing(self, n_trials: int) -> int:
        """Of one generation."""
        n_finishing = 0
        for bracket, n in enumerate(self.shares(n_trials)):
            left = n
            for _ in self.rungs[bracket:-1]:
                left = self.n_survivors(left) if left else 0
            n_finishing += left
        return n_finishing

    def survivors(self, records: Sequence[TrialRecord]) -> list[int]:
        """Indices of the trials that go on from a rung, best first.

        Args:
            records: One a trial that entered the rung; those without a value go on in no case.
        """
        ranked = sorted(
            self.rank(record.value, record.index) for record in records if record.value is not None
        )
        return [index for _, index in ranked[: self.n_survivors(len(records))]]


def rungs_up_to(rounds: int, first: int, eta: int) -> tuple[int, ...]:
    """Rungs below `rounds`, each a share of ``1 / eta`` of the next, none below `first`.

    Raises:
        SearchError: There is none, so that nothing could be cut down.

    Example:
        >>> rungs_up_to(100, first=10, eta=3)
        (11, 33, 100)
    """
    rungs = [rounds]
    while rungs[0] // eta >= first:
        rungs.insert(0, rungs[0] // eta)
    if len(rungs) == 1:
        raise SearchError(
            "halving has no rung below the rounds of a whole trial",
            f"{rounds} rounds, of which a share of 1/{eta} is below {first}",
            f"at least {first * eta} rounds",
            "lower 'search.halving.min_rounds' or 'search.halving.eta', fit more rounds, or "
            "declare 'search.halving.by: data_share'",
        )
    return tuple(rungs)


def shares_down_to(first: float, eta: int) -> tuple[float, ...]:
    """Shares of the training rows, each ``1 / eta`` of the next, none below `first`.

    Raises:
        SearchError: There is none but all rows, so that nothing could be cut down.

    Example:
        >>> shares_down_to(0.2, eta=2)
        (0.25, 0.5, 1.0)
    """
    shares = [1.0]
    while eta ** -len(shares) >= first:
        shares.insert(0, eta ** -len(shares))
    if len(shares) == 1:
        raise SearchError(
            "halving has no rung below all training rows",
            f"a share of 1/{eta} is below {first}",
            f"a first share of at most {1 / eta:.4g}",
            "lower 'search.halving.min_share' or 'search.halving.eta'",
        )
    return tuple(shares)
