"""Answers to the test rows beside what happened: metrics, their intervals, the answers' profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlops_ray.manifest import IntervalFacts, MetricFacts
from mlops_ray.models.bootstrap import intervals
from mlops_ray.models.prediction_profile import prediction_profile
from mlops_ray.pipeline.reported_metrics import metrics_on_test
from mlops_ray.pipeline.scoring import scoring_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.validation import BootstrapConfig
    from mlops_ray.features.target import Target
    from mlops_ray.models.outputs import Outputs
    from mlops_ray.models.scoring import Scoring
    from mlops_ray.models.signature import Signature
    from mlops_ray.models.weighted import Kernel
    from mlops_ray.pipeline.context import Context

__all__ = ["Judge", "Judged", "judge_of"]

# The metrics, and the profile of the answers as plain JSON.
Judged: TypeAlias = "tuple[list[MetricFacts], dict[str, Any]]"


@dataclass(frozen=True, slots=True)
class Judge:
    """What is found out about answers, as it travels to the worker that has them.

    Attributes:
        scoring: Which metrics are computed.
        bootstrap: How often rows are drawn for intervals; None where there are none.
        seed: Of these draws.
    """

    scoring: Scoring
    bootstrap: BootstrapConfig | None = None
    seed: int = 0

    def judge(
        self,
        signature: Signature,
        outputs: Outputs,
        y: Target,
        groups: NDArray[np.uint64] | None = None,
    ) -> Judged:
        """Metrics and profile of the answers to the test rows.

        Args:
            signature: Of what answered.
            outputs: Its answers.
            y: Class index or value of each row.
            groups: Which rows are drawn together; None where each is drawn alone.

        Raises:
            ModelError: A metric of the project cannot be had, or answers with no number.
        """
        task, threshold = signature.task, signature.threshold
        numbers = outputs.numbers[:, 0] if task == "regression" else outputs.numbers
        scores = self.scoring.score(task, y, numbers, threshold)
        found: dict[str, IntervalFacts] = {}
        if self.bootstrap is not None and np.isfinite(numbers).all():
            kernels = self.scoring.kernels(task, y, numbers, threshold)
            found = self._intervals(self.bootstrap, kernels, y.size, groups)
        metrics = [
            MetricFacts(name=name, value=value, split="test", n=y.size, interval=found.get(name))
            for name, value in sorted(scores.items())
        ]
        return metrics, prediction_profile(outputs, signature.classes).to_json()

    def _intervals(
        self,
        declared: BootstrapConfig,
        kernels: dict[str, Kernel],
        n_rows: int,
        groups: NDArray[np.uint64] | None,
    ) -> dict[str, IntervalFacts]:
        found = intervals(kernels, n_rows, declared, self.seed, groups)
        return {
            name: IntervalFacts(
                low=interval.low,
                high=interval.high,
                level=declared.level,
                standard_error=interval.standard_error,
                resamples=declared.resamples,
                n_undefined=interval.n_undefined,
                drawn="rows" if groups is None else "groups",
            )
            for name, interval in found.items()
        }


def judge_of(context: Context) -> Judge:
    """What a spec declares to be found out."""
    declared, scoring = context.spec.evaluation, scoring_of(context, metrics_on_test(context.spec))
    if declared is None or declared.bootstrap is None:
        return Judge(scoring)
    return Judge(scoring, declared.bootstrap, int(context.spec.seeds["bootstrap"]))
