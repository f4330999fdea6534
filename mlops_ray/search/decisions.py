"""What a machine decided in a search, so that another execution of it can take the same decisions.

A time budget ends a search after some generation; a trial that hung, ran out of memory or lost its
worker three times has no value. All of that stands in the trial table, and nowhere in the spec.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.search.trial import TrialRecord

__all__ = ["Decisions", "decisions_of"]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is taken over from the table of a search.

    Attributes:
        n_trials: Trials that were dealt.
        known: Records of the steps that the machine ended; they are not run again.
    """

    n_trials: int
    known: tuple[TrialRecord, ...]

    def in_words(self, n_declared: int) -> list[str]:
        """Each decision as a phrase, for who reads what was taken over.

        Args:
            n_declared: Trials that the spec asks for.
        """
        said = [f"trial {record.index} {record.status}" for record in self.known]
        if self.n_trials < n_declared:
            said.insert(0, f"the search ended after {self.n_trials} of {n_declared} trials")
        return [text.replace("_", " ") for text in said]


def decisions_of(table: Sequence[TrialRecord]) -> Decisions:
    """The decisions that a trial table holds; of a halved trial the step at which it ended."""
    known = (replace(r, rungs=r.rungs[-1:]) for r in table if r.is_by_the_machine)
    return Decisions(len(table), tuple(known))
