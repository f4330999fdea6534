"""A search after it has ended: what its trial table and its circumstances tell."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.search.importance import parameter_importance
from mlops_ray.search.leaderboard import best_so_far, leaderboard, reasons
from mlops_ray.search.rung import whole_number
from mlops_ray.search.rung_survival import rung_survival

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.search.importance import Importance
    from mlops_ray.search.leaderboard import Reason
    from mlops_ray.search.rung_survival import RungSurvival
    from mlops_ray.search.trial import TrialRecord

__all__ = ["SearchOverview"]


@dataclass(frozen=True)
class SearchOverview:
    """The trials of a run, for people and reports.

    Attributes:
        records: One a trial, by index.
        metric: Name of the objective.
        mode: The direction of the objective that is better.
        facts: Counters of the search stage, CPU-seconds among them.
        chosen: Index of the trial that the run went on with; None where it ended before that.
    """

    records: Sequence[TrialRecord]
    metric: str
    mode: Literal["max", "min"]
    facts: Mapping[str, Any]
    chosen: int | None = None

    @cached_property
    def counts(self) -> dict[str, int]:
        """Status -> how many trials ended with it."""
        return dict(sorted(Counter(record.status for record in self.records).items()))

    @cached_property
    def leaderboard(self) -> list[TrialRecord]:
        """All trials, best first; see `leaderboard.leaderboard`."""
        return leaderboard(self.records, self.mode)

    @cached_property
    def best_so_far(self) -> list[tuple[int, float]]:
        """Each trial that was better than all before it, with its value."""
        return best_so_far(self.records, self.mode)

    @cached_property
    def reasons(self) -> list[Reason]:
        """Why trials have no value, the commonest first."""
        return reasons(self.records)

    @cached_property
    def rungs(self) -> list[RungSurvival]:
        """What became of trials at each rung; none where nothing was halved."""
        return rung_survival(self.records, self.mode)

    @cached_property
    def curves(self) -> dict[int, list[tuple[float, float]]]:
        """Of each trial that has any: its value after so many rounds, or on so large a share."""
        curves = {
            record.index: [
                (at, value) for at, value in record.curve or record.rungs if value is not None
            ]
            for record in self.records
        }
        return {index: points for index, points in curves.items() if points}

    def curve_in_steps(self, record: TrialRecord) -> tuple[str, list[tuple[int, float]]]:
        """The learning curve of a trial for who counts whole steps, and what the steps are."""
        by = "rounds" if record.curve else record.by
        points = self.curves.get(record.index, [])
        name = "rounds" if by == "rounds" else "rows_of_a_million"
        return name, [(whole_number(at, by), value) for at, value in points]

    @cached_property
    def importance(self) -> Importance | None:
        """Which parameters counted; None where too few trials can be compared."""
        return parameter_importance(self.records)

    @property
    def cpu_s(self) -> tuple[float, float] | None:
        """CPU-seconds asked for and used; None of a run from before they were counted."""
        if "cpu_used_s" not in self.facts:
            return None
        return float(self.facts["cpu_asked_s"]), float(self.facts["cpu_used_s"])

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/trials/v1``, apart from the run's id."""
        found = self.importance
        asked_s, used_s = self.cpu_s or (None, None)
        return {
            "objective": {"metric": self.metric, "direction": self.mode},
            "counts": self.counts,
            "chosen": self.chosen,
            "leaderboard": [_trial_json(record) for record in self.leaderboard],
            "best_so_far": [list(step) for step in self.best_so_far],
            "importance": None if found is None else found.to_json(),
            "rungs": [rung.to_json() for rung in self.rungs],
            "curves": {str(i): [list(p) for p in points] for i, points in self.curves.items()},
            "reasons": [{**asdict(r), "trials": list(r.trials)} for r in self.reasons],
            "cpu": {"asked_s": asked_s, "used_s": used_s},
        }


def _trial_json(record: TrialRecord) -> dict[str, Any]:
    return {
        "trial": record.index,
        "status": record.status,
        "rounds": record.rounds,
        "value": record.value,
        "metrics": record.metrics,
        "params": record.params,
        "seed": record.seed,
        "error": record.error or None,
        "message": record.message or None,
    }
