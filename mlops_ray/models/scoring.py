"""Which metrics are computed together: those that a spec declares, or the standard ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_ray.config.metric_catalogue import METRICS
from mlops_ray.models.metric_functions import score_by
from mlops_ray.models.metrics import metrics_for, score, score_all, told_by
from mlops_ray.models.weighted import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.metric_catalogue import Needs
    from mlops_ray.config.task import Task
    from mlops_ray.config.validation import MetricFunctionConfig
    from mlops_ray.models.weighted import Kernel
    from mlops_ray.runtime.code_guard import CodeGuard

__all__ = ["Scoring"]


@dataclass(frozen=True, slots=True)
class Scoring:
    """Metrics of one set of predictions.

    Attributes:
        names: Metrics of the catalogue; the standard ones of the task where there are none.
        functions: Metrics of the project.
        guard: Refuses other code of the project than was recorded; None where nothing of it runs.
    """

    names: tuple[str, ...] = ()
    functions: tuple[MetricFunctionConfig, ...] = ()
    guard: CodeGuard | None = None

    def score(
        self,
        task: Task,
        y: NDArray[Any],
        predictions: NDArray[np.float64],
        threshold: float | None = None,
    ) -> dict[str, float]:
        """All of them by name; NaN where one is not defined on these rows.

        Args:
            task: What is predicted.
            y: Class indices or values, shape ``(n_rows,)``.
            predictions: As for `metrics.score`.
            threshold: As for `metrics.score_all`.

        Raises:
            ModelError: A metric of the project cannot be had, or answers with no number.
        """
        if self.guard is not None:
            self.guard.check()
        seen = _Seen(predictions, threshold)
        scores = (
            {name: score(name, y, seen.by(METRICS[name].needs)) for name in self.names}
            if self.names
            else score_all(task, y, predictions, threshold)
        )
        return scores | {f.function: score_by(f, y, seen.by(f.needs)) for f in self.functions}

    def kernels(
        self,
        task: Task,
        y: NDArray[Any],
        predictions: NDArray[np.float64],
        threshold: float | None = None,
    ) -> dict[str, Kernel]:
        """The same metrics as functions of how often each row is drawn.

        Args:
            task: What is predicted.
            y: Class indices or values, shape ``(n_rows,)``.
            predictions: As for `metrics.score`, all of them finite.
            threshold: As for `metrics.score_all`.
        """
        seen = _Seen(predictions, threshold)
        found = {
            name: kernel(name, y, seen.by(METRICS[name].needs), partial(score, name))
            for name in self.names or metrics_for(task)
        }
        for own in self.functions:
            of_own = partial(score_by, own)
            found[own.function] = kernel(own.function, y, seen.by(own.needs), of_own)
        return found


class _Seen:
    """What metrics look at: those of labels at what is told."""

    def __init__(self, predictions: NDArray[np.float64], threshold: float | None) -> None:
        self._predictions = predictions
        self._told = predictions if threshold is None else told_by(predictions, threshold)

    def by(self, needs: Needs) -> NDArray[np.float64]:
        return self._told if needs == "labels" else self._predictions
