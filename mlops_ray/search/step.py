"""What a slot does at a time, and the seed of a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_ray.runtime.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Step", "trial_seed"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a slot does at a time: a trial, or a trial up to a rung.

    Attributes:
        index: Position of the trial in the search, from 0.
        params: What was drawn for it.
        seed: Seed of its fit.
        rounds: Rounds at the end of the rung; None for a whole trial.
    """

    index: int
    params: Mapping[str, Any]
    seed: int
    rounds: int | None = None


def trial_seed(seed: int, index: int) -> int:
    """Seed of the fit of one trial; the refit of the best trial uses it too."""
    return derive(seed, "trial", index)
