"""When a trial ends that gets no better: what is declared, and when to look. Ray-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """When a fit is taken to get no better.

    Attributes:
        rounds: After so many rounds without a better value.
        every: Rounds from one look to the next.
        mode: The direction of the objective that is better.
        rungs: Rounds at which there is a look as well, since a trial may begin or end there: so the
            looks are the same whether it went on at a rung or was fitted anew.
    """

    rounds: int
    every: int
    mode: Literal["max", "min"]
    rungs: tuple[int, ...] = ()

    def next_look(self, n_rounds: int, target: int) -> int:
        """Rounds at the look after `n_rounds`; the last is at `target`.

        Example:
            >>> [Patience(20, 10, "max", (7, 25)).next_look(n, 25) for n in (0, 7, 10, 20)]
            [7, 10, 20, 25]
        """
        at_a_rung = (rung for rung in self.rungs if rung > n_rounds)
        return min(target, (n_rounds // self.every + 1) * self.every, *at_a_rung)
