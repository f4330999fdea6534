"""Which slot works on which step: each slot holds one, and a slot that dies gives its step back.

Nothing here can change a record, only when it is made and where. Ray-free.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from mlops_ray.search.trial import WORKER_LOST, TrialRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_ray.search.agenda import Agenda, Step

__all__ = ["RESTARTS", "Dispatch"]

# Only the death of a worker process counts here; errors of a fit are records.
RESTARTS: Final = 2


class Dispatch:
    """Hands the steps of an agenda to slots.

    Args:
        agenda: What there is to do.
        on_record: Told of each record that was made, before the agenda is.
        known: Records of an earlier attempt; what they answer is not done again.
    """

    def __init__(
        self,
        agenda: Agenda,
        on_record: Callable[[TrialRecord], None],
        known: Iterable[TrialRecord] = (),
    ) -> None:
        self._agenda = agenda
        self._on_record = on_record
        self._known = {record.index: record for record in known}
        self._waiting: deque[Step] = deque()
        self._held: dict[str, Step] = {}
        self._losses: Counter[int] = Counter()
        self._look_ahead()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self._agenda.is_done

    def give(self, slot: str) -> Step | None:
        """The next step for a slot; None where it holds one, or none can run yet."""
        if slot in self._held:
            return None
        self._look_ahead()
        if not self._waiting:
            return None
        step = self._held[slot] = self._waiting.popleft()
        return step

    def take(self, slot: str, record: TrialRecord) -> None:
        """Take the record of the step that a slot holds."""
        del self._held[slot]
        self._keep(record)

    def lose(self, slot: str) -> None:
        """A slot is gone: its step is the next to be given, or lost if that has not helped."""
        step = self._held.pop(slot, None)
        if step is None:
            return
        self._losses[step.index] += 1
        if self._losses[step.index] <= RESTARTS:
            self._waiting.appendleft(step)
            return
        message = f"the worker process died {RESTARTS + 1} times"
        self._keep(
            TrialRecord(
                step.index,
                dict(step.params),
                str(step.seed),
                "failed",
                error=WORKER_LOST,
                message=message,
            )
        )

    def _keep(self, record: TrialRecord) -> None:
        self._on_record(record)
        self._agenda.tell(record)

    def _look_ahead(self) -> None:
        """Have a step waiting, if the agenda has one that no known record answers."""
        while not self._waiting and (steps := self._agenda.ready()):
            for step in steps:
                record = self._known.pop(step.index, None)
                if record is not None and _answers(record, step):
                    self._agenda.tell(record)
                else:
                    self._waiting.append(step)


def _answers(record: TrialRecord, step: Step) -> bool:
    """A searcher that does not keep its promises may draw other trials than before."""
    return record.seed == str(step.seed) and record.params == dict(step.params)
