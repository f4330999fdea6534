"""The trials of a search in the order in which people read them, and why some have no value.

Functions of the trial table alone, so every run has them, also one that was made long ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlops_ray.search.trial import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_ray.search.trial import TrialRecord

__all__ = ["Reason", "best_so_far", "leaderboard", "reasons"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why trials ended without a value.

    Attributes:
        status: ``failed``, ``invalid``, ``timed_out`` or ``out_of_memory``.
        text: Class and first line of the error.
        trials: Indices of the trials.
    """

    status: str
    text: str
    trials: tuple[int, ...]


def leaderboard(records: Iterable[TrialRecord], mode: Literal["max", "min"]) -> list[TrialRecord]:
    """Trials that finished, best first; those cut short, the latest first; then the others.

    Equals stand in the order of their indices, as in the choice of the best trial.
    """
    sign = -1.0 if mode == "max" else 1.0

    def place(record: TrialRecord) -> tuple[float, ...]:
        if record.value is not None:
            return 0, 0, sign * record.value, record.index
        if record.status == "pruned" and record.rungs:
            rung, value = record.rungs[-1]
            return 1, -rung, sign * (0.0 if value is None else value), record.index
        return 2, 0, 0, record.index

    return sorted(records, key=place)


def reasons(records: Iterable[TrialRecord]) -> list[Reason]:
    """Why trials have no value, the commonest reason first."""
    found: dict[tuple[str, str], list[int]] = {}
    for record in records:
        if record.status not in {"finished", "pruned"}:
            found.setdefault((record.status, reason_of(record)), []).append(record.index)
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[1]))
    return [Reason(status, text, tuple(sorted(trials))) for (status, text), trials in ranked]


def best_so_far(
    records: Sequence[TrialRecord], mode: Literal["max", "min"]
) -> list[tuple[int, float]]:
    """Each trial that was better than all of lower index, with its value."""
    sign = -1.0 if mode == "max" else 1.0
    steps: list[tuple[int, float]] = []
    for record in sorted(records, key=lambda record: record.index):
        value = record.value
        if value is not None and (not steps or sign * value < sign * steps[-1][1]):
            steps.append((record.index, value))
    return steps
