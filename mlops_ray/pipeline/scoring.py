"""The metrics that a stage computes, those of the project with the code that was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.models.scoring import Scoring
from mlops_ray.pipeline.own_code import metric_functions
from mlops_ray.runtime.code_guard import CodeGuard
from mlops_ray.runtime.recorded_code import own_sources

if TYPE_CHECKING:
    from mlops_ray.pipeline.context import Context

__all__ = ["scoring_of"]


def scoring_of(context: Context, names: tuple[str, ...]) -> Scoring:
    """Some metrics of the catalogue, beside those of the project.

    Args:
        context: Of the stage.
        names: Of the catalogue; none where they are the standard ones of the task.
    """
    functions = metric_functions(context.spec)
    if not functions or context.spec.evaluation is None:
        return Scoring(names)
    modules = [name.partition(":")[0] for name in functions]
    guard = CodeGuard(tuple(functions), own_sources(context.code, modules))
    return Scoring(names, tuple(context.spec.evaluation.functions), guard)
