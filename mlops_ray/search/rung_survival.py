"""What became of the trials of a halved search at each rung."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.search.rung import in_words, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.config.search import RungUnit
    from mlops_ray.search.trial import TrialRecord

__all__ = ["RungSurvival", "rung_survival"]


@dataclass(slots=True)
class RungSurvival:
    """One rung, trials of all brackets together.

    Attributes:
        rung: Rounds, or the share of the training rows, at its end.
        entered: Trials that were fitted up to it.
        went_on: Those that went on to the next.
        finished: Those that ended here as whole trials.
        pruned: Those that others were better than.
        failed: Those that came to no value.
        best: The best value there; None where there is none.
        by: What it counts.
    """

    rung: float
    entered: int = 0
    went_on: int = 0
    finished: int = 0
    pruned: int = 0
    failed: int = 0
    best: float | None = None
    by: RungUnit = "rounds"

    @property
    def in_words(self) -> str:
        """Where it ends, as people read it."""
        return in_words(self.rung, self.by)

    def to_json(self) -> dict[str, Any]:
        """Its members; ``rounds`` or ``share`` says where it ends."""
        counts = {name: n for name, n in asdict(self).items() if name not in {"rung", "by"}}
        return {**named(self.rung, self.by), **counts}


def rung_survival(
    records: Iterable[TrialRecord], mode: Literal["max", "min"]
) -> list[RungSurvival]:
    """The rungs, the first one first; none of a search that halves nothing."""
    better = max if mode == "max" else min
    rungs: dict[float, RungSurvival] = {}
    for record in records:
        for number, (end, value) in enumerate(record.rungs, start=1):
            rung = rungs.setdefault(end, RungSurvival(end, by=record.by))
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
    return [rungs[end] for end in sorted(rungs)]
