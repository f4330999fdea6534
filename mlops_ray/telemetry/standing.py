"""How a running search stands: what is told of it at the end of each trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Standing", "TrialLine"]


@dataclass(frozen=True, slots=True)
class TrialLine:
    """A trial that has ended, in a line.

    Attributes:
        index: Position in the search, from 0.
        status: ``finished``, ``pruned``, ``failed`` and the like.
        value: The objective's value; None where there is none.
        params: What was drawn for it.
    """

    index: int
    status: str
    value: float | None = None
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """A search after one of its trials has ended.

    Attributes:
        done: Trials that have ended.
        total: Trials of the search.
        last: The trial that has just ended.
        metric: Name of the objective.
        leaders: The best trials that finished, best first.
        counts: Status -> how many trials ended with it.
        eta_s: Estimated seconds until the last trial ends; None where unknown.
        cpus_used: CPUs that the fits have kept busy so far, on average; None where unknown.
        cpus: CPUs that were asked for.
    """

    done: int
    total: int
    last: TrialLine
    metric: str = "value"
    leaders: tuple[TrialLine, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    eta_s: float | None = None
    cpus_used: float | None = None
    cpus: float = 0.0

    @property
    def best(self) -> float | None:
        """The best value so far; None where no trial has finished."""
        return self.leaders[0].value if self.leaders else None
