"""The trial that a run goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.metric_catalogue import METRICS
from mlops_ray.search.selection import chosen_trial
from mlops_ray.search.trial import read_trial_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.config.metric_catalogue import Better
    from mlops_ray.manifest import Spec
    from mlops_ray.pipeline.context import Context
    from mlops_ray.search.trial import TrialRecord

__all__ = ["choose", "chosen"]


def choose(spec: Spec, records: Sequence[TrialRecord]) -> TrialRecord:
    """The trial that the declared rule chooses.

    Raises:
        SearchError: No trial gave a finite objective.
    """
    functions = spec.evaluation.functions if spec.evaluation is not None else []
    better: dict[str, Better] = {name: metric.better for name, metric in METRICS.items()}
    better |= {own.function: own.direction for own in functions}
    return chosen_trial(records, spec.search.selection, spec.objective.metric, better)


def chosen(context: Context) -> TrialRecord:
    """`choose` among the trials of the search."""
    records = context.value(context.output("search.trials"), read_trial_table)
    return choose(context.spec, records)
