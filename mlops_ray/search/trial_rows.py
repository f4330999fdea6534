"""What a trial needs of a search, wherever the rows are: memory or disk, folds or a holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from mlops_ray.config.metric_catalogue import MetricName
    from mlops_ray.config.task import Task
    from mlops_ray.models.estimator import Fitted, Training
    from mlops_ray.models.guidance import Guidance
    from mlops_ray.search.patience import Patience

__all__ = ["TrialRows", "TrialTask"]


class TrialRows(Protocol):
    """Rows to fit on and others to score on, as a process has them: a fold, or the holdout."""

    def training(self, share: float) -> Training:
        """A share of the training rows, made ready for many fits; 1 are all."""

    def scores(self, fitted: Fitted) -> dict[str, float]:
        """All metrics on the rows to score; NaN where one is undefined."""


class TrialTask(Protocol):
    """Everything the trials of a search share, wherever their rows are; see `task.SearchTask`."""

    @property
    def family(self) -> str: ...  # noqa: D102 - see the class
    @property
    def task(self) -> Task: ...  # noqa: D102 - see the class
    @property
    def n_classes(self) -> int: ...  # noqa: D102 - see the class
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102 - see the class
    @property
    def metric(self) -> MetricName: ...  # noqa: D102 - see the class
    @property
    def threads(self) -> int: ...  # noqa: D102 - see the class
    @property
    def patience(self) -> Patience | None: ...  # noqa: D102 - see the class
    @property
    def guidance(self) -> Guidance: ...  # noqa: D102 - see the class

    def rows(self) -> AbstractContextManager[Sequence[TrialRows]]:
        """Open the rows in this process, for as long as trials run: each fold, or the holdout."""
