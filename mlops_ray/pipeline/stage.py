"""A stage as declared: all that its key is made of, known without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mlops_ray.pipeline.own_code import (
    family_modules,
    function_modules,
    metric_functions,
    searcher_modules,
)
from mlops_ray.runtime.environment import SEARCHER_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlops_ray.manifest import Spec

__all__ = ["Outputs", "Stage"]

# Stage -> name of an output -> its digest, for the stages that are done.
Outputs: TypeAlias = "Mapping[str, Mapping[str, str]]"
_PACKAGE: Final = "mlops_ray.pipeline.stages"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as declared.

    Attributes:
        name: Its name.
        inputs: Digests that it reads, by name; those of input files stand under ``file:<name>``.
        params: Everything of the spec that it looks at, under the keys of a pipeline file.
        computes_features: Whether it runs the feature functions that a project declares.
        draws_trials: Whether it runs the searcher.
        runs_family: Whether it fits or asks estimators.
        reads_streams: Whether it runs them where it has to read the rows itself.
        scores: Whether it runs the metrics that a project declares.
    """

    name: str
    inputs: Callable[[Spec, Outputs], dict[str, str]]
    params: Callable[[Spec], dict[str, Any]]
    computes_features: bool = False
    draws_trials: bool = False
    runs_family: bool = False
    reads_streams: bool = False
    scores: bool = False

    @property
    def module(self) -> str:
        """Where its `execute` stands; its import closure is the stage's code."""
        return f"{_PACKAGE}.{self.name}"

    def modules(self, spec: Spec) -> list[str]:
        """All modules whose import closures are the stage's code."""
        is_reader = self.computes_features or (self.reads_streams and spec.model.is_streamed)
        functions = function_modules(spec) if is_reader else []
        metrics = metric_functions(spec) if self.scores else []
        functions += sorted({name.partition(":")[0] for name in metrics})
        searcher = searcher_modules(spec) if self.draws_trials else []
        return [
            self.module,
            *functions,
            *searcher,
            *(family_modules(spec) if self.runs_family else []),
        ]

    def packages(self, spec: Spec) -> dict[str, str]:
        """Versions that count for it: what only draws trials counts where they are drawn."""
        if self.draws_trials:
            return spec.packages
        return {name: v for name, v in spec.packages.items() if name not in SEARCHER_PACKAGES}
