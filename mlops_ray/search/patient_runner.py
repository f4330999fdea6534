"""A trial that ends once more rounds have not helped it for a while. Ray-free.

The objective is looked at after every few rounds of one live fit. The best of these looks is the
trial's record, with the rounds it took; the final fit makes as many. What is seen is a function of
the fit, so nothing here depends on a clock or on where a trial runs.

Source: L. Prechelt, "Early stopping, but when?" (1998), the criterion UP in its plainest form.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named
from mlops_ray.search.objective import TrialRunner

if TYPE_CHECKING:
    from mlops_ray.search.patience import Patience
    from mlops_ray.search.step import Step
    from mlops_ray.search.trial import TrialRecord
    from mlops_ray.search.trial_rows import TrialTask

__all__ = ["PatientRunner", "runner_of"]


class _Course:
    """What was seen of a trial so far.

    Args:
        look: The record of the first look.
        n_rounds: Rounds at it.
    """

    def __init__(self, look: TrialRecord, n_rounds: int) -> None:
        self.latest = self.best = look
        self.n_rounds = n_rounds
        self.best_rounds = 0
        self.curve: tuple[tuple[int, float], ...] = ()
        if look.value is not None:
            self.best_rounds, self.curve = n_rounds, ((n_rounds, look.value),)

    def see(self, look: TrialRecord, n_rounds: int, mode: Literal["max", "min"]) -> None:
        """Take another look; the earliest of equals is the best."""
        self.latest, self.n_rounds = look, n_rounds
        if look.value is None:
            return
        self.curve += ((n_rounds, look.value),)
        sign = 1.0 if mode == "max" else -1.0
        if self.best.value is None or sign * look.value > sign * self.best.value:
            self.best, self.best_rounds = look, n_rounds

    def is_over(self, patience: Patience) -> bool:
        """Whether going on is taken to be useless, or is impossible."""
        has_failed = self.latest.status == "failed"
        return has_failed or self.n_rounds - self.best_rounds >= patience.rounds

    def record(self, step: Step) -> TrialRecord:
        """What is kept of it, at the end of a rung or of the whole trial."""
        found = self.latest if self.latest.status == "failed" else self.best
        rounds = None if found.value is None else self.best_rounds
        return replace(
            found, rungs=step.passed(found.value), by=step.by, rounds=rounds, curve=self.curve
        )


def runner_of(task: TrialTask) -> TrialRunner | PatientRunner:
    """What runs the steps of a search, with the patience that it has."""
    runner = TrialRunner(task)
    return runner if task.patience is None else PatientRunner(runner, task, task.patience)


class PatientRunner:
    """Runs steps look by look, in the place of the runner that makes the looks.

    Args:
        runner: Goes on with a trial to a number of rounds.
        task: What all trials share.
        patience: When a trial ends.
    """

    def __init__(self, runner: TrialRunner, task: TrialTask, patience: Patience) -> None:
        self._runner = runner
        self._task = task
        self._patience = patience
        self._courses: dict[int, _Course] = {}

    def run(self, step: Step) -> TrialRecord:
        """The record of a trial, or of its way to a rung: that of its best look."""
        try:
            target = self._target(step)
        except ModelError:
            return self._runner.run(step)  # Which makes a record of the mistake.
        course = self._courses.get(step.index)
        if course is None or course.n_rounds > target:
            self._runner.drop(step.index)
            n_rounds = self._patience.next_look(0, target)
            course = self._courses[step.index] = _Course(self._look(step, n_rounds), n_rounds)
        while course.n_rounds < target and not course.is_over(self._patience):
            n_rounds = self._patience.next_look(course.n_rounds, target)
            course.see(self._look(step, n_rounds), n_rounds, self._patience.mode)
        if step.rounds is None:
            self.drop(step.index)
        return course.record(step)

    def drop(self, index: int) -> None:
        """See `TrialRunner.drop`."""
        self._courses.pop(index, None)
        self._runner.drop(index)

    def close(self) -> None:
        """See `TrialRunner.close`."""
        self._courses.clear()
        self._runner.close()

    def _look(self, step: Step, n_rounds: int) -> TrialRecord:
        return self._runner.run(replace(step, rounds=n_rounds))

    def _target(self, step: Step) -> int:
        """Rounds of the step: those its rung counts, or those that its parameters ask for."""
        if step.rounds is not None:
            return step.rounds
        family = family_named(self._task.family)
        params = family.resolve_params({**self._task.params, **step.params}, self._task.task)
        return int(str(params[str(family.rounds)]))
