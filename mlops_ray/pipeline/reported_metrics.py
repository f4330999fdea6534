"""Which metrics of the catalogue are reported, of trials and of the test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.metric_catalogue import METRICS, is_own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_ray.manifest import Spec

__all__ = ["metrics_of_trials", "metrics_on_test"]


def metrics_of_trials(spec: Spec) -> tuple[str, ...]:
    """Metrics of the catalogue that trials are measured by; none where they are the standard."""
    named = [item.metric for item in spec.search.selection.tie_break]
    return _reported(spec, [spec.objective.metric, *(name for name in named if name is not None)])


def metrics_on_test(spec: Spec) -> tuple[str, ...]:
    """The same of the test rows, which gates look at."""
    return _reported(spec, [spec.objective.metric, *(gate.metric for gate in spec.gates)])


def _reported(spec: Spec, named: Iterable[str]) -> tuple[str, ...]:
    task = spec.data.task
    standard = {name for name, m in METRICS.items() if task in m.tasks and m.is_standard}
    declared = spec.evaluation.metrics if spec.evaluation is not None else []
    wanted = {name for name in (*(declared or standard), *named) if not is_own(name)}
    return () if wanted == standard else tuple(sorted(wanted))
