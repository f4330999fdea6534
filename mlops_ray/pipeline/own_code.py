"""What a spec names of the project's own code: feature functions, metrics, searcher and family."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_ray.manifest import Spec

__all__ = [
    "family_modules",
    "family_names",
    "function_modules",
    "function_names",
    "metric_functions",
    "searcher_modules",
]


def function_modules(spec: Spec) -> list[str]:
    """Modules of the project's own feature functions."""
    return sorted({name.partition(":")[0] for name in function_names(spec)})


def function_names(spec: Spec) -> list[str]:
    """The project's own feature functions, as ``module:function``."""
    steps = (step for feature in spec.features for step in feature.steps)
    return sorted({str(step["name"]) for step in steps if step["step"] == "function"})


def metric_functions(spec: Spec) -> list[str]:
    """The project's own metrics, as ``module:function``."""
    return [] if spec.evaluation is None else [own.function for own in spec.evaluation.functions]


def searcher_modules(spec: Spec) -> list[str]:
    """The module of the project's own searcher, if it has one."""
    module = spec.search.searcher_module
    return [] if module is None else [module]


def family_names(spec: Spec) -> list[str]:
    """The project's own estimator family as ``module:Class``, if it has one."""
    own = spec.model.own_class
    return [] if own is None else [own]


def family_modules(spec: Spec) -> list[str]:
    """Its module."""
    return [name.partition(":")[0] for name in family_names(spec)]
