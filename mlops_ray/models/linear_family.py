"""Logistic regression and ridge regression: scikit-learn fits, `rowwise` predicts.

scikit-learn's own prediction is a matrix product, whose last bit depends on how many rows are
asked at once. The coefficients are read from the fitted estimator; the arithmetic is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from mlops_ray.config.model import TASKS
from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE, Aspect, Guidance
from mlops_ray.models.params import Choice, Number, Parameter, ParameterTable
from mlops_ray.models.plain_training import PlainTraining
from mlops_ray.models.rowwise import linear_margins, sigmoid_probabilities, softmax_probabilities
from mlops_ray.models.sklearn_family import (
    SKLEARN_PLATFORM,
    SKOPS_FILE,
    check_classes,
    fit_sklearn,
    load_sklearn,
)
from mlops_ray.models.skops_canonical import canonical_dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["FittedLinear", "LinearFamily"]

_CLASSIFICATION: Final[dict[str, Parameter]] = {
    "C": Number(1.0, 0, above_low=True),
    "class_weight": Choice(None, (None, "balanced")),
    "fit_intercept": Choice(True, (False, True)),
    "max_iter": Number(1000, 1, 1_000_000, is_integer=True),
    "tol": Number(1e-4, 0, above_low=True),
}
_PARAMETERS: Final = ParameterTable(
    "linear",
    {
        "binary": _CLASSIFICATION,
        "multiclass": _CLASSIFICATION,
        "regression": {
            "alpha": Number(1.0, 0, above_low=True),
            "fit_intercept": Choice(True, (False, True)),
        },
    },
)


class FittedLinear:
    """A fitted linear model of scikit-learn; sums run over the features from left to right."""

    def __init__(self, estimator: Any, task: Task) -> None:  # noqa: ANN401 - no stubs
        self._estimator = estimator
        self._task = task
        self._coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
        intercepts = np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64))
        # A binary or single-output model without intercept holds one plain zero.
        self._intercepts = np.broadcast_to(intercepts, self._coefficients.shape[:1])

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        margins = linear_margins(X, self._coefficients, self._intercepts)
        if self._task == "multiclass":
            return softmax_probabilities(margins)
        if self._task == "binary":
            return sigmoid_probabilities(margins[:, 0])
        return margins[:, 0]

    def to_files(self) -> dict[str, bytes]:
        """The estimator as a canonical skops file."""
        return {SKOPS_FILE: canonical_dumps(self._estimator)}


class LinearFamily:
    """Linear models by scikit-learn; rows with missing values are refused."""

    name: str = "linear"
    tasks: tuple[Task, ...] = TASKS
    platform: str = SKLEARN_PLATFORM
    accepts_missing: bool = False
    rounds: str | None = None
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
        seed: int,  # noqa: ARG002 - neither solver draws
        threads: int,
        weights: NDArray[np.float64] | None = None,
    ) -> FittedLinear:
        """Fit a linear model; see `estimator.Family.fit`."""
        if np.isnan(X).any():
            raise ModelError(
                "a linear model cannot be fitted on missing values",
                f"{int(np.isnan(X).any(axis=1).sum())} rows with nulls",
                hint="add an impute step to those columns, or take a family that accepts nulls",
            )
        settings = self.resolve_params(params, task)
        estimator: Any = _class_for(task)(solver=_solver_for(task), **settings)
        # In float32 the solver would stop where rounding stops it.
        fit_sklearn(
            estimator,
            X.astype(np.float64),
            y,
            n_classes=n_classes,
            threads=threads,
            weights=weights,
        )
        return FittedLinear(estimator, task)

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

    def from_files(self, files: Mapping[str, bytes], *, task: Task, n_classes: int) -> FittedLinear:
        """Load a linear model; see `estimator.Family.from_files`."""
        estimator = load_sklearn(files, _class_for(task))
        check_classes(estimator, task, n_classes)
        return FittedLinear(estimator, task)


def _class_for(task: Task) -> type[Any]:
    ridge: type[Any] = Ridge
    logistic: type[Any] = LogisticRegression
    return ridge if task == "regression" else logistic


def _solver_for(task: Task) -> str:
    return "cholesky" if task == "regression" else "lbfgs"
