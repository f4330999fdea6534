"""What became of the trials of a halved search at each rung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.search.trial import TrialRecord

__all__ = ["RungSurvival", "rung_survival"]


@dataclass(slots=True)
class RungSurvival:
    """One rung, trials of all brackets together.

    Attributes:
        rounds: Rounds at its end.
        entered: Trials that were fitted up to it.
        went_on: Those that went on to the next.
        finished: Those that ended here as whole trials.
        pruned: Those that others were better than.
        failed: Those that came to no value.
        best: The best value there; None where there is none.
    """

    rounds: int
    entered: int = 0
    went_on: int = 0
    finished: int = 0
    pruned: int = 0
    failed: int = 0
    best: float | None = None


def rung_survival(
    records: Iterable[TrialRecord], mode: Literal["max", "min"]
) -> list[RungSurvival]:
    """The rungs by their rounds; none of a search that halves nothing."""
    better = max if mode == "max" else min
    rungs: dict[int, RungSurvival] = {}
    for record in records:
        for number, (rounds, value) in enumerate(record.rungs, start=1):
            rung = rungs.setdefault(rounds, RungSurvival(rounds))
            rung.entered += 1
            if value is not None:
                rung.best = value if rung.best is None else better(rung.best, value)
            if number < len(record.rungs):
                rung.went_on += 1
            elif record.status == "finished":
                rung.finished += 1
            elif record.status == "pruned":
                rung.pruned += 1
            else:
                rung.failed += 1
    return [rungs[rounds] for rounds in sorted(rungs)]
