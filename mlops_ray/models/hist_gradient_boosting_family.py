"""scikit-learn's histogram gradient boosting.

Its own ``predict_proba`` adds the powers of a softmax in another order for one row than for many
(with ten classes a quarter of the probabilities differ in the last bit), so margins are turned
into probabilities by `rowwise`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from mlops_ray.config.model import TASKS
from mlops_ray.models.guidance import NO_GUIDANCE, Aspect, Guidance
from mlops_ray.models.params import Choice, Number, Parameter, ParameterTable
from mlops_ray.models.plain_training import PlainTraining
from mlops_ray.models.rowwise import sigmoid_probabilities, softmax_probabilities
from mlops_ray.models.sklearn_family import (
    SKLEARN_PLATFORM,
    SKOPS_FILE,
    check_classes,
    fit_sklearn,
    load_sklearn,
    seed_of,
)
from mlops_ray.models.skops_canonical import canonical_dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["FittedHistGradientBoosting", "HistGradientBoostingFamily"]

_SHARED: Final[dict[str, Parameter]] = {
    "max_iter": Number(100, 1, 100_000, is_integer=True),
    "learning_rate": Number(0.1, 0, 1, above_low=True),
    "max_leaf_nodes": Number(31, 2, 65_535, is_integer=True, or_none=True),
    "max_depth": Number(None, 1, 64, is_integer=True, or_none=True),
    "min_samples_leaf": Number(20, 1, 2**31 - 1, is_integer=True),
    "l2_regularization": Number(0.0, 0),
    "max_features": Number(1.0, 0, 1, above_low=True),
    "max_bins": Number(255, 2, 255, is_integer=True),
    # scikit-learn's "auto" turns early stopping on beyond 10,000 rows; here it is asked for.
    "early_stopping": Choice(False, (False, True)),
    "validation_fraction": Number(0.1, 0, 0.9, above_low=True),
    "n_iter_no_change": Number(10, 1, 100_000, is_integer=True),
    "tol": Number(1e-7, 0),
}
_CLASSIFICATION: Final = {**_SHARED, "class_weight": Choice(None, (None, "balanced"))}
_PARAMETERS: Final = ParameterTable(
    "hist_gradient_boosting",
    {"binary": _CLASSIFICATION, "multiclass": _CLASSIFICATION, "regression": _SHARED},
)


class FittedHistGradientBoosting:
    """A fitted booster of scikit-learn; probabilities come from its margins."""

    def __init__(self, estimator: Any, task: Task) -> None:  # noqa: ANN401 - no stubs
        self._estimator = estimator
        self._task = task

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        if self._task == "regression":
            return np.asarray(self._estimator.predict(X), dtype=np.float64)
        margins = np.asarray(self._estimator.decision_function(X), dtype=np.float64)
        if self._task == "binary":
            return sigmoid_probabilities(margins)
        return softmax_probabilities(margins)

    def to_files(self) -> dict[str, bytes]:
        """The booster as a canonical skops file."""
        return {SKOPS_FILE: canonical_dumps(self._estimator)}


class HistGradientBoostingFamily:
    """Gradient-boosted trees by scikit-learn; missing values go to the better side of a split."""

    name: str = "hist_gradient_boosting"
    tasks: tuple[Task, ...] = TASKS
    platform: str = SKLEARN_PLATFORM
    accepts_missing: bool = True
    rounds: str | None = "max_iter"
    takes: frozenset[Aspect] = frozenset({"weight"})

    def check_params(self, params: Mapping[str, object], task: Task | None = None) -> list[str]:
        """Mistakes in parameters; see `estimator.Family.check_params`."""
        return _PARAMETERS.check(params, task)

    def resolve_params(self, params: Mapping[str, object], task: Task) -> dict[str, object]:
        """Parameters with defaults; see `estimator.Family.resolve_params`."""
        return _PARAMETERS.resolve(params, task)

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
        weights: NDArray[np.float64] | None = None,
    ) -> FittedHistGradientBoosting:
        """Fit a booster; see `estimator.Family.fit`."""
        settings = self.resolve_params(params, task)
        estimator = _class_for(task)(random_state=seed_of(seed), **settings)
        fit_sklearn(estimator, X, y, n_classes=n_classes, threads=threads, weights=weights)
        # All that remembers the threads of the fit, and nothing reads it any more.
        estimator._bin_mapper.n_threads = 1  # noqa: SLF001
        return FittedHistGradientBoosting(estimator, task)

    def prepare(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        *,
        task: Task,
        n_classes: int,
        threads: int,
        guidance: Guidance = NO_GUIDANCE,
    ) -> PlainTraining:
        """Take rows for many fits; see `estimator.Family.prepare`."""
        return PlainTraining(self, X, y, task, n_classes, threads, guidance.weights)

    def from_files(
        self, files: Mapping[str, bytes], *, task: Task, n_classes: int
    ) -> FittedHistGradientBoosting:
        """Load a booster; see `estimator.Family.from_files`."""
        estimator = load_sklearn(files, _class_for(task))
        check_classes(estimator, task, n_classes)
        return FittedHistGradientBoosting(estimator, task)


def _class_for(task: Task) -> type[Any]:
    regressor: type[Any] = HistGradientBoostingRegressor
    classifier: type[Any] = HistGradientBoostingClassifier
    return regressor if task == "regression" else classifier
