"""The trials of a run as TensorBoard's event files: a folder a trial, and one of the search."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ray.pipeline.new_folder import whole_or_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.search.overview import SearchOverview
    from mlops_ray.search.trial import TrialRecord

__all__ = ["write_events"]


def write_events(
    package: Any,  # noqa: ANN401 - tensorboardX has no types
    overview: SearchOverview,
    metrics: Mapping[str, float],
    out: str,
) -> None:
    """Write the folder.

    ``search`` has the best value so far by trial, and the metrics on the test rows; each
    ``trial-<index>`` its parameters, its metrics on the validation rows and its learning curve.

    Args:
        package: The module ``tensorboardX``.
        overview: The trials.
        metrics: Metrics on the test rows.
        out: Folder to make.

    Raises:
        StoreError: It is there already, or cannot be written.
    """
    width = len(str(max((record.index for record in overview.records), default=0)))
    with whole_or_nothing(Path(out)) as folder:
        with package.SummaryWriter(str(folder / "search")) as writer:
            for index, value in overview.best_so_far:
                writer.add_scalar(f"best_so_far/{overview.metric}", value, index)
            for name, value in metrics.items():
                writer.add_scalar(f"test/{name}", value)
        for record in overview.records:
            place = folder / f"trial-{record.index:0{width}d}"
            with package.SummaryWriter(str(place)) as writer:
                _write_trial(writer, overview, record)


def _write_trial(writer: Any, overview: SearchOverview, record: TrialRecord) -> None:  # noqa: ANN401 - as above
    scores = {f"valid/{name}": value for name, value in record.metrics.items()}
    params = {"status": record.status, **record.params}
    hparams = importlib.import_module("tensorboardX.summary").hparams
    for summary in hparams({k: "none" if v is None else v for k, v in params.items()}, scores):
        writer.file_writer.add_summary(summary)
    for name, value in scores.items():
        writer.add_scalar(name, value)
    steps, curve = overview.curve_in_steps(record)
    for step, value in curve:
        writer.add_scalar(f"{steps}/{overview.metric}", value, step)
