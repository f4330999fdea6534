"""The fits of one fold in one process: rows are made ready once a share, live fits are kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlops_ray.models.estimator import Fitted, Growth, Training
    from mlops_ray.search.step import Step
    from mlops_ray.search.trial_rows import TrialRows, TrialTask

__all__ = ["FoldFits"]

_GROWTHS_BYTES: Final = 192 * 2**20


class FoldFits:
    """Fits on the training rows of one fold, or of a holdout, and scores on its others.

    Args:
        task: What all trials share.
        rows: Rows to fit on and to score on.
        share: Share of the memory for live fits that is this fold's.
    """

    def __init__(self, task: TrialTask, rows: TrialRows, share: float = 1.0) -> None:
        self._task = task
        self._rows = rows
        self._share = share
        self._growths: OrderedDict[int, Growth] = OrderedDict()
        self._trainings: dict[float, Training] = {}

    def score(self, step: Step) -> dict[str, float]:
        """Fit as a step says, or go on to its rung, and score; NaN where a metric is undefined.

        Raises:
            ModelError: The fit or a metric failed, as libraries' own errors may too.
        """
        return self._rows.scores(self._fitted(step))

    def drop(self, index: int) -> None:
        """Forget the live fit of a trial."""
        self._growths.pop(index, None)

    def _fitted(self, step: Step) -> Fitted:
        params = {**self._task.params, **step.params}
        training = self._training(1.0 if step.share is None else step.share)
        if step.rounds is None:
            return training.fit(params, seed=step.seed)
        growth = self._growths.pop(step.index, None)
        if growth is None:  # Another slot began it, or it was dropped: the bits are the same.
            growth = training.grow(params, seed=step.seed)
        fitted = growth.to(step.rounds)
        self._growths[step.index] = growth
        self._drop_the_oldest()
        return fitted

    def _drop_the_oldest(self) -> None:
        """Keep within the memory for live fits; those dropped would be fitted anew."""
        held = sum(growth.held_bytes for growth in self._growths.values())
        while len(self._growths) > 1 and held > _GROWTHS_BYTES * self._share:
            _, dropped = self._growths.popitem(last=False)
            held -= dropped.held_bytes

    def _training(self, share: float) -> Training:
        if share not in self._trainings:
            self._trainings[share] = self._rows.training(share)
        return self._trainings[share]
