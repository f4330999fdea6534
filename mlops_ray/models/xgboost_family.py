"""The family XGBoost, with histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.model import TASKS
from mlops_ray.models.guidance import NO_GUIDANCE, Aspect, Guidance
from mlops_ray.models.xgboost_booster import load_xgboost
from mlops_ray.models.xgboost_params import XGBOOST_PARAMETERS
from mlops_ray.models.xgboost_training import training_of_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.xgboost_booster import FittedXGBoost
    from mlops_ray.models.xgboost_training import XGBoostTraining

__all__ = ["XGBoostFamily"]


class XGBoostFamily:
    """Gradient-boosted trees by XGBoost; missing values go to the better side of each split."""

    name: str = "xgboost"
    tasks: tuple[Task, ...] = TASKS
    platform: str = "xgboost_ubj"
    accepts_missing: bool = True
    rounds: str | None = "n_estimators"
    takes: frozenset[Aspect] = frozenset(
        {"weight", "monotone", "interactions", "categories", "device"}
    )

    def check_params(self, params: Mapping[str, object], task: Task | None = None) -> list[str]:
        """Mistakes in parameters; see `estimator.Family.check_params`."""
        return XGBOOST_PARAMETERS.check(params, task)

    def resolve_params(self, params: Mapping[str, object], task: Task) -> dict[str, object]:
        """Parameters with defaults; see `estimator.Family.resolve_params`."""
        return XGBOOST_PARAMETERS.resolve(params, task)

    def fit(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        params: Mapping[str, object],
        *,
        task: Task,
        n_classes: int,
        seed: int,
        threads: int,
    ) -> FittedXGBoost:
        """Fit a booster; see `estimator.Family.fit`."""
        training = self.prepare(X, y, task=task, n_classes=n_classes, threads=threads)
        return training.fit(params, seed=seed)

    def prepare(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        *,
        task: Task,
        n_classes: int,
        threads: int,
        guidance: Guidance = NO_GUIDANCE,
    ) -> XGBoostTraining:
        """Quantise rows for many fits; see `estimator.Family.prepare`."""
        return training_of_rows(X, y, task, n_classes, threads, guidance)

    def from_files(
        self, files: Mapping[str, bytes], *, task: Task, n_classes: int
    ) -> FittedXGBoost:
        """Load a booster; see `estimator.Family.from_files`."""
        return load_xgboost(files, task, n_classes)
