"""The Tune trainable: a slot, which lives through the search and works off one step after another.

With a Tune trial a configuration Tune starts an actor for nearly each of them: it keeps at most one
that has nothing to do, and an actor costs two seconds. A slot is a Tune trial that ends with the
search. It reports once a step, which costs the driver about 1 ms; several steps a report would save
half of that and leave the other slots idle at the end of a generation.

Tune's `train` takes no argument, so the driver hands over the next step by `take`, a method of the
same actor: the first report carries the slot's own handle. `train` is a coroutine, so that `take`
can run while a slot has nothing to do.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import tune

from mlops_ray.search.patient_runner import runner_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.search.step import Step
    from mlops_ray.search.trial_rows import TrialTask

__all__ = ["CPU_KEY", "RECORD_KEY", "SLOT_KEY", "SearchSlot"]

SLOT_KEY: Final = "slot"
RECORD_KEY: Final = "record"
CPU_KEY: Final = "cpu_s"


class SearchSlot(tune.Trainable):
    """Runs the steps it is given and reports the record of each as JSON text, and its CPU time."""

    def setup(self, config: dict[str, Any], task: TrialTask | None = None) -> None:  # noqa: ARG002 - Tune's signature
        """Take the data, which Tune fetches from the object store once an actor."""
        if task is None:
            raise ValueError("the search task comes through tune.with_parameters")
        os.chdir(os.environ["TUNE_ORIG_WORKING_DIR"])  # Where Tune found this process.
        self._runner = runner_of(task)
        self._steps: asyncio.Queue[tuple[Step, Sequence[int]]] = asyncio.Queue()
        self._is_known = False

    async def take(self, step: Step, over: Sequence[int] = ()) -> None:
        """Take what the next `train` is to do, and which trials' live fits it needs no more."""
        self._steps.put_nowait((step, over))

    async def train(self) -> dict[str, Any]:
        """Wait for a step and run it; the first call only says whom to give steps to."""
        if not self._is_known:
            self._is_known = True
            return {SLOT_KEY: ray.get_runtime_context().current_actor}
        self._step, over = await self._steps.get()
        for index in over:
            self._runner.drop(index)
        return self.step()

    def step(self) -> dict[str, Any]:
        """Run the step that was taken, wholly."""
        before_s = time.process_time()
        record = self._runner.run(self._step)
        return {
            RECORD_KEY: record.to_bytes().decode(),
            CPU_KEY: time.process_time() - before_s,
        }

    def cleanup(self) -> None:
        """Let go of the rows, which may lie on this machine's disk."""
        self._runner.close()
