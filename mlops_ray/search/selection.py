"""Which trial is chosen: of those that count as good as the best, the first by the tie-breaks.

Source: L. Breiman et al., "Classification and Regression Trees" (1984), section 3.4.3, for the
rule of one standard error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_ray.search.trial import best_trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.config.metric_catalogue import Better
    from mlops_ray.config.validation import SelectionConfig, TieBreak
    from mlops_ray.search.trial import TrialRecord

__all__ = ["chosen_trial", "standard_error"]


def chosen_trial(
    records: Sequence[TrialRecord],
    rule: SelectionConfig,
    objective: str,
    better: Mapping[str, Better],
) -> TrialRecord:
    """The trial that is refitted.

    Args:
        records: All trials.
        rule: What counts as good as the best, and what decides then.
        objective: Name of the objective.
        better: Direction of each metric, that of the objective included.

    Raises:
        SearchError: No trial gave a finite objective.
    """
    best = best_trial(records, better[objective])
    if not rule.tie_break or best.value is None:
        return best
    slack = rule.within_standard_errors
    margin = slack * standard_error(best, objective) if slack else 0.0
    good = [
        record
        for record in records
        if record.status == "finished"
        and record.value is not None
        and (record.value == best.value or abs(record.value - best.value) <= margin)
    ]
    sign = -1.0 if better[objective] == "max" else 1.0

    def order(record: TrialRecord) -> tuple[list[float], float, int]:
        keys = [_key(record, item, better) for item in rule.tie_break]
        return keys, sign * (record.value or 0.0), record.index

    return min(good, key=order)


def standard_error(record: TrialRecord, name: str) -> float:
    """Standard error of the mean of a metric over the folds; 0 where one has none.

    Of several repeats it is too small, since their folds share rows.
    """
    values = [scores[name] for scores in record.folds if name in scores]
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))


def _key(record: TrialRecord, item: TieBreak, better: Mapping[str, Better]) -> float:
    """What sorts first wins; what a trial lacks, such as a conditional parameter, sorts last."""
    if item.metric is not None:
        value = record.metrics.get(item.metric)
        is_highest = better[item.metric] == "max"
    else:
        value = record.params.get(item.lowest or item.highest or "")
        is_highest = item.lowest is None
    if value is None:
        return math.inf
    return -float(value) if is_highest else float(value)
