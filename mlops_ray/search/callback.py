"""Beside Tune's loop: hears of slots that start, report and die, and gives them their steps."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import tune

from mlops_ray.errors import ClusterError
from mlops_ray.search.slot import CPU_KEY, RECORD_KEY, SLOT_KEY
from mlops_ray.search.trial import TrialRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.actor import ActorHandle
    from ray.tune.experiment import Trial

    from mlops_ray.search.cpu_use import CpuUse
    from mlops_ray.search.dispatch import Dispatch, Loss
    from mlops_ray.search.slot import SearchSlot

__all__ = ["SlotCallback", "StopWhenDone"]

# Of slots that died before they could be given anything, one after the other.
_MOST_FRUITLESS_STARTS: Final = 6
_SAID: Final[dict[Loss, str]] = {
    "died": "a worker of the search died",
    "timed_out": "a worker of the search was killed, not done within 'search.timeout_s'",
    "out_of_memory": "a worker of the search was killed for want of memory",
}
_OUT_OF_MEMORY: Final = re.compile(r"OutOfMemoryError|running low on memory|Out of Memory")


class SlotCallback(tune.Callback):
    """Feeds the slots.

    Args:
        dispatch: Knows the steps.
        timeout_s: After how long a slot that has not reported its step is killed.
        use: Adds up the CPU time of steps.
        note: Told of slots that are lost, in place of Tune's tracebacks.
    """

    def __init__(
        self, dispatch: Dispatch, timeout_s: float, use: CpuUse, note: Callable[[str], None]
    ) -> None:
        self._note = note
        self._dispatch = dispatch
        self._timeout_s = timeout_s
        self._use = use
        self._given_s: dict[str, float] = {}
        self._killed: set[str] = set()
        self._handles: dict[str, ActorHandle[SearchSlot]] = {}
        self._fruitless_starts = 0
        self._failure: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks for a restore that we never do; the agenda and a listener that
        # draws on a terminal have no place there.
        return {}

    @property
    def is_over(self) -> bool:
        """Whether Tune should stop: everything is done, or cannot be."""
        return self._failure is not None or self._dispatch.is_done

    def check(self) -> None:
        """Raise what went wrong in a callback, where Tune would have made another error of it."""
        if self._failure is not None:
            raise self._failure

    def forget_slots(self) -> None:
        """Refer to no slot any more, so that all can end."""
        self._handles.clear()

    def on_trial_result(
        self,
        iteration: int,  # noqa: ARG002 - Tune's signature
        trials: list[Trial],  # noqa: ARG002 - Tune's signature
        trial: Trial,
        result: dict[str, Any],
        **info: object,  # noqa: ARG002 - Tune's signature
    ) -> None:
        """A slot says whom to give steps to, or reports a record."""
        slot = trial.trial_id
        if SLOT_KEY in result:
            self._handles[slot] = result.pop(SLOT_KEY)  # Tune writes results into its state.
            self._fruitless_starts = 0
            self._use.begin()
            self._do(self._feed)
        else:
            self._given_s.pop(slot, None)
            self._use.add(result.pop(CPU_KEY))
            record = TrialRecord.from_bytes(result.pop(RECORD_KEY).encode())
            self._do(lambda: self._dispatch.take(slot, record))

    def on_trial_recover(
        self,
        iteration: int,  # noqa: ARG002 - Tune's signature
        trials: list[Trial],  # noqa: ARG002 - Tune's signature
        trial: Trial,
        **info: object,  # noqa: ARG002 - Tune's signature
    ) -> None:
        """A slot has died; Tune starts another in its place."""
        slot = trial.trial_id
        self._given_s.pop(slot, None)
        if self._handles.pop(slot, None) is None:
            self._fruitless_starts += 1
            if self._fruitless_starts >= _MOST_FRUITLESS_STARTS:
                self._failure = ClusterError(
                    "the workers of the search die as soon as they start",
                    f"{self._fruitless_starts} times in a row; {_last_line(trial.get_error())}",
                    hint="'mlops-ray doctor' checks memory, disk and shared memory",
                )
        why = self._why_lost(trial)
        index = self._dispatch.trial_of(slot)
        at = "without a trial" if index is None else f"at trial {index}"
        self._note(f"{_SAID[why]}, {at}; another takes its place")
        self._do(lambda: self._dispatch.lose(slot, why))

    def on_step_end(
        self,
        iteration: int,  # noqa: ARG002 - Tune's signature
        trials: list[Trial],  # noqa: ARG002 - Tune's signature
        **info: object,  # noqa: ARG002 - Tune's signature
    ) -> None:
        """Ten times a second: a slot that hangs is killed, and Tune starts another."""
        overdue_s = time.monotonic() - self._timeout_s
        for slot in [slot for slot, given_s in self._given_s.items() if given_s < overdue_s]:
            del self._given_s[slot]
            self._killed.add(slot)
            ray.kill(self._handles[slot])

    def _why_lost(self, trial: Trial) -> Loss:
        if trial.trial_id in self._killed:
            self._killed.remove(trial.trial_id)
            return "timed_out"
        return "out_of_memory" if _OUT_OF_MEMORY.search(str(trial.get_error())) else "died"

    def _do(self, act: Callable[[], None]) -> None:
        try:
            act()
            self._feed()
        except Exception as error:  # noqa: BLE001 - raised again by `check`, as it is
            self._failure = self._failure or error

    def _feed(self) -> None:
        for slot, handle in self._handles.items():
            step = self._dispatch.give(slot)
            if step is not None:
                handle.take.remote(step, self._dispatch.over(slot))
                self._given_s[slot] = time.monotonic()


def _last_line(error: Exception | None) -> str:
    """The line of an error of Ray's that says what it was; those before are its traceback."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), "no reason")


class StopWhenDone(tune.Stopper):
    """Ends the slots together, once there is nothing left to do.

    Args:
        callback: Knows.
    """

    def __init__(self, callback: SlotCallback) -> None:
        self._callback = callback

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002 - Tune's
        """No slot ends before the others."""
        return False

    def stop_all(self) -> bool:
        """Whether the search is over."""
        return self._callback.is_over
