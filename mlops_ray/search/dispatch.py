"""Which slot works on which step: each slot holds one, and a slot that dies gives its step back.

A trial that goes on from a rung is given to the slot that holds its live fit, as long as that is
quicker than another slot's fitting it from the first round on. Nothing here can change a record,
only when it is made and where. Ray-free.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlops_ray.search.trial import WORKER_LOST, TrialRecord, TrialStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_ray.search.agenda import Agenda
    from mlops_ray.search.step import Step

__all__ = ["RESTARTS", "Dispatch", "Loss"]

Loss: TypeAlias = Literal["died", "timed_out", "out_of_memory"]

# Only the death of a worker process counts here; errors of a fit are records.
RESTARTS: Final = 2
_TIMES: Final = f"{RESTARTS + 1} times"
_STATUS: Final[dict[Loss, TrialStatus]] = {
    "died": "failed",
    "timed_out": "timed_out",
    "out_of_memory": "out_of_memory",
}
_ERROR: Final[dict[Loss, str]] = {
    "died": WORKER_LOST,
    "timed_out": "TimeoutError",
    "out_of_memory": "MemoryError",
}
_MESSAGE: Final[dict[Loss, str]] = {
    "died": f"the worker process died {_TIMES}",
    "timed_out": f"it was not done within 'search.timeout_s', {_TIMES}",
    "out_of_memory": f"the worker process was killed for want of memory, {_TIMES}",
}


class Dispatch:
    """Hands the steps of an agenda to slots.

    Args:
        agenda: What there is to do.
        on_step: Told of each record that was made, before the agenda is.
        on_trial: Told of each trial that has ended by a record that was made.
        known: Records of an earlier attempt; what they answer is not done again.
    """

    def __init__(
        self,
        agenda: Agenda,
        on_step: Callable[[TrialRecord], None],
        on_trial: Callable[[TrialRecord], None] = lambda _: None,
        known: Iterable[TrialRecord] = (),
    ) -> None:
        self._agenda = agenda
        self._on_step = on_step
        self._on_trial = on_trial
        self._known = {(record.index, _rung_of(record)): record for record in known}
        self._anywhere: deque[Step] = deque()
        self._at_home: dict[str, deque[Step]] = {}
        self._homes: dict[int, str] = {}
        self._held: dict[str, Step] = {}
        self._over: dict[str, list[int]] = {}
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
        step = self._next_for(slot)
        if step is not None:
            self._held[slot] = step
        return step

    def trial_of(self, slot: str) -> int | None:
        """Index of the trial that a slot works on; None where it has nothing to do."""
        return self._held[slot].index if slot in self._held else None

    def over(self, slot: str) -> list[int]:
        """Trials that do not go on, whose live fits a slot has; each is told once."""
        return self._over.pop(slot, [])

    def take(self, slot: str, record: TrialRecord) -> None:
        """Take the record of the step that a slot holds."""
        step = self._held.pop(slot)
        if step.rounds is not None:  # There is a live fit; a share is fitted anew wherever.
            self._homes[step.index] = slot
        self._keep(record)

    def lose_all(self, why: Loss, *, counts: bool) -> int:
        """Every slot is gone.

        Args:
            why: What ended them.
            counts: Whether it is known that their steps are to blame for it.

        Returns:
            How many of them held a step.
        """
        held = list(self._held)
        # Last first, so that the steps are given again in the order in which they were.
        for slot in dict.fromkeys([*self._homes.values(), *self._at_home, *reversed(held)]):
            self.lose(slot, why, counts=counts)
        return len(held)

    def lose(self, slot: str, why: Loss = "died", *, counts: bool = True) -> None:
        """A slot is gone: its step is the next to be given, or lost if that has not helped."""
        self._anywhere.extendleft(reversed(self._at_home.pop(slot, deque())))
        self._homes = {index: home for index, home in self._homes.items() if home != slot}
        self._over.pop(slot, None)
        step = self._held.pop(slot, None)
        if step is None:
            return
        self._losses[step.index] += counts
        if self._losses[step.index] <= RESTARTS:
            self._anywhere.appendleft(step)
            return
        self._keep(
            TrialRecord(
                step.index,
                dict(step.params),
                str(step.seed),
                _STATUS[why],
                error=_ERROR[why],
                message=_MESSAGE[why],
                rungs=step.passed(None),
                by=step.by,
            )
        )

    def _next_for(self, slot: str) -> Step | None:
        at_home = self._at_home.get(slot)
        if at_home:
            return at_home.popleft()
        if not self._anywhere:
            self._look_ahead()
        if self._anywhere:
            return self._anywhere.popleft()
        # A slot with a single step waiting will have done it sooner than one that starts over.
        fullest = max(self._at_home.values(), key=len, default=None)
        return fullest.pop() if fullest is not None and len(fullest) > 1 else None

    def _keep(self, record: TrialRecord) -> None:
        self._on_step(record)
        ended = self._agenda.tell(record)
        for index in (*self._agenda.take_beaten(), *(trial.index for trial in ended)):
            if index in self._homes:
                self._over.setdefault(self._homes.pop(index), []).append(index)
        for trial in ended:
            self._on_trial(trial)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Have a step waiting, if the agenda has one that no known record answers."""
        while not self._anywhere and (steps := self._agenda.ready()):
            for step in steps:
                record = self._known.pop((step.index, step.rung), None)
                if record is not None and _answers(record, step):
                    self._agenda.tell(record)
                elif step.index in self._homes:
                    self._at_home.setdefault(self._homes[step.index], deque()).append(step)
                else:
                    self._anywhere.append(step)


def _rung_of(record: TrialRecord) -> float | None:
    return record.rungs[-1][0] if record.rungs else None


def _answers(record: TrialRecord, step: Step) -> bool:
    """A searcher that does not keep its promises may draw other trials than before."""
    return record.seed == str(step.seed) and record.params == dict(step.params)
