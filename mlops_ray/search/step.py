"""What a slot does at a time, and the seed of a trial."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_ray.runtime.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.config.search import RungUnit

__all__ = ["Step", "trial_seed"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a slot does at a time: a trial, or a trial up to a rung.

    Attributes:
        index: Position of the trial in the search, from 0.
        params: What was drawn for it.
        seed: Seed of its fit.
        rounds: Rounds at the end of the rung; None where rungs count none, or for a whole trial.
        share: Share of the training rows that the fit sees, where rungs count these.
    """

    index: int
    params: Mapping[str, Any]
    seed: int
    rounds: int | None = None
    share: float | None = None

    @property
    def by(self) -> RungUnit:
        """What its rung counts."""
        return "rounds" if self.share is None else "data_share"

    @property
    def rung(self) -> float | None:
        """Rounds or share at the end of its rung; None for a whole trial that knows no rungs."""
        return self.rounds if self.share is None else self.share

    def passed(self, value: float | None) -> tuple[tuple[float, float | None], ...]:
        """The rungs of a record of it: its own with the objective there, or none."""
        return () if self.rung is None else ((self.rung, value),)

    def up_to(self, rung: float, by: RungUnit) -> Step:
        """The trial up to a rung."""
        if by == "rounds":
            return replace(self, rounds=int(rung))
        return replace(self, share=rung)


def trial_seed(seed: int, index: int) -> int:
    """Seed of the fit of one trial; the refit of the best trial uses it too."""
    return derive(seed, "trial", index)
