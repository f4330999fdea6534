"""A search whose rows fit no worker: each slot writes them to its own disk once, in batches.

The slot reads the input itself, as the tasks of the features stage do; rows of the test part never
leave the unit in which they were read.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.features.spool import spool
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance
from mlops_ray.models.scoring import Scoring
from mlops_ray.models.xgboost_stream import StreamedRows, external_training
from mlops_ray.runtime.session_folder import session_folder
from mlops_ray.search.data_share import rows_of_share, strata_of
from mlops_ray.search.rung import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlops_ray.config.metric_catalogue import MetricName
    from mlops_ray.config.task import Task
    from mlops_ray.data.split import SplitName
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.spool import Spool, SpoolUnit
    from mlops_ray.features.unit_rows import MatrixPlan
    from mlops_ray.models.estimator import Fitted, Training
    from mlops_ray.search.patience import Patience
    from mlops_ray.search.trial_rows import TrialRows

__all__ = ["StreamedTask", "spooled", "streamed_rows"]

_TRAIN: Final[tuple[SplitName, ...]] = ("train",)
_VALID: Final[tuple[SplitName, ...]] = ("valid",)
_STANDARD: Final = Scoring()


@dataclass(frozen=True, slots=True)
class StreamedTask:
    """Everything the trials of a search share, the rows still in the input.

    Attributes:
        plan: What the rows of train and valid are made of.
        units: Where they are read.
        work: `spool_unit`, as it is guarded.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        params: Fixed parameters; what is drawn for a trial goes over them.
        metric: Objective.
        threads: Threads of one fit.
        patience: When a trial ends that gets no better; None where each makes all its rounds.
        guidance: Constraints of the fits.
        family: Name of the estimator family.
        scoring: Which metrics are computed.
        share_seed: Seed of the order in which shares of the training rows take them.
    """

    plan: MatrixPlan
    units: Sequence[Unit]
    work: SpoolUnit
    task: Task
    n_classes: int
    params: Mapping[str, Any]
    metric: MetricName
    threads: int
    patience: Patience | None = None
    guidance: Guidance = NO_GUIDANCE
    family: str = "xgboost"
    scoring: Scoring = _STANDARD
    share_seed: int = 0

    @contextmanager
    def rows(self) -> Iterator[Sequence[TrialRows]]:
        """Write the rows to a folder of this process, which goes with it."""
        with spooled(self.plan, self.units, self.threads, self.work) as rows:
            yield [_SpooledRows(self, rows)]


@dataclass(frozen=True, slots=True)
class _SpooledRows:
    """The rows of a search on disk."""

    task: StreamedTask
    spool: Spool

    def training(self, share: float) -> Training:
        """See `TrialRows.training`; what is quantised of each share lies in a folder of its own."""
        task, folder = self.task, self.spool.folder
        rows = streamed_rows(self.spool, _TRAIN, task.task, task.n_classes)
        if share < 1:
            strata = strata_of(rows.y, task.n_classes)
            every = np.arange(rows.y.size)
            rows = rows.only(rows_of_share(every, share, task.share_seed, strata))
            folder = folder / f"share-{whole_number(share, 'data_share')}"
            folder.mkdir()
        return external_training(rows, task.threads, folder, task.guidance)

    def scores(self, fitted: Fitted) -> dict[str, float]:
        """All metrics on the validation rows, which are answered batch by batch."""
        answers = [fitted.predict(X) for X, _ in self.spool.batches(_VALID)]
        y, task = self.spool.targets(_VALID), self.task
        return task.scoring.score(task.task, y, np.concatenate(answers))


@contextmanager
def spooled(
    plan: MatrixPlan, units: Sequence[Unit], threads: int, work: SpoolUnit
) -> Iterator[Spool]:
    """Rows on this machine's disk for the length of a block; see `features.spool.spool`.

    They lie in the system's temporary folder (``TMPDIR``). What a process that was killed has left
    there is removed by the next one that comes here.
    """
    with session_folder(Path(tempfile.gettempdir())) as folder:
        yield spool(plan, units, folder, threads, work)


def streamed_rows(
    found: Spool, parts: Sequence[SplitName], task: Task, n_classes: int
) -> StreamedRows:
    """Rows of some parts, one part after another, for a fit."""
    return StreamedRows(partial(found.batches, parts), found.targets(parts), task, n_classes)
