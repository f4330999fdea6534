"""Any scikit-learn estimator of the catalogue, as a family of its own.

One job fits at a time (``n_jobs`` is 1), since the trials of a search are what runs at once. The
seed is the trial's. Answers come from scikit-learn where it works row by row, else from `rowwise`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.errors import ModelError
from mlops_ray.models.guidance import NO_GUIDANCE, Aspect, Guidance
from mlops_ray.models.plain_training import PlainTraining
from mlops_ray.models.rowwise import linear_margins, softmax_probabilities
from mlops_ray.models.sklearn_catalogue import entry_named
from mlops_ray.models.sklearn_family import (
    SKLEARN_PLATFORM,
    SKOPS_FILE,
    check_classes,
    fit_sklearn,
    load_sklearn,
    seed_of,
)
from mlops_ray.models.sklearn_params import SklearnParams
from mlops_ray.models.skops_canonical import canonical_dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.sklearn_catalogue import SklearnEntry

__all__ = ["SKLEARN_PREFIX", "FittedSklearn", "SklearnFamily", "sklearn_family"]

SKLEARN_PREFIX: Final = "sklearn:"


class FittedSklearn:
    """A fitted estimator of the catalogue."""

    def __init__(self, estimator: Any, entry: SklearnEntry) -> None:  # noqa: ANN401 - no stubs
        self._estimator = estimator
        self._entry = entry

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        if self._entry.how == "linear":
            coefficients = np.atleast_2d(np.asarray(self._estimator.coef_, dtype=np.float64))
            intercepts = np.full(1, self._estimator.intercept_, dtype=np.float64)
            return linear_margins(X, coefficients, intercepts)[:, 0]
        rows = _rows(self._entry, X)
        if self._entry.how == "joint":
            return softmax_probabilities(self._estimator.predict_joint_log_proba(rows))
        is_regression = self._entry.tasks == ("regression",)
        answer = self._estimator.predict if is_regression else self._estimator.predict_proba
        return np.ascontiguousarray(answer(rows), dtype=np.float64)

    def to_files(self) -> dict[str, bytes]:
        """The estimator as a canonical skops file."""
        return {SKOPS_FILE: canonical_dumps(self._estimator)}


class SklearnFamily:
    """One estimator of the catalogue.

    Args:
        entry: The estimator.
    """

    platform: str = SKLEARN_PLATFORM

    def __init__(self, entry: SklearnEntry) -> None:
        self.name = f"{SKLEARN_PREFIX}{entry.name}"
        self.tasks = entry.tasks
        self.accepts_missing = entry.accepts_missing
        self.rounds = "n_estimators" if "n_estimators" in entry.params else None
        self.takes: frozenset[Aspect] = frozenset({"weight"} if entry.takes_weights else ())
        self._entry = entry
        self._params = SklearnParams(entry)

    def check_params(
        self,
        params: Mapping[str, object],
        task: Task | None = None,  # noqa: ARG002 - each class has parameters of its own
    ) -> list[str]:
        """Mistakes in parameters; see `estimator.Family.check_params`."""
        return self._params.check(params)

    def resolve_params(
        self,
        params: Mapping[str, object],
        task: Task,  # noqa: ARG002 - each class has parameters of its own
    ) -> dict[str, object]:
        """Parameters with defaults; see `estimator.Family.resolve_params`."""
        return self._params.resolve(params)

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
    ) -> FittedSklearn:
        """Fit an estimator; see `estimator.Family.fit`."""
        check_task(self, task)
        if not self.accepts_missing and np.isnan(X).any():
            raise ModelError(
                f"{self._entry.name} cannot be fitted on missing values",
                f"{int(np.isnan(X).any(axis=1).sum())} rows with nulls",
                hint="add an impute step to those columns, or take an estimator that accepts nulls",
            )
        settings = {**self._params.resolve(params), **self._entry.fixed}
        made = self._entry.load()(**settings)
        if "random_state" in made.get_params():
            made.set_params(random_state=seed_of(seed))
        fit_sklearn(
            made, _rows(self._entry, X), y, n_classes=n_classes, threads=threads, weights=weights
        )
        return FittedSklearn(made, self._entry)

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
        return PlainTraining(self, _writable(X), y, task, n_classes, threads, guidance.weights)

    def from_files(
        self, files: Mapping[str, bytes], *, task: Task, n_classes: int
    ) -> FittedSklearn:
        """Load an estimator; see `estimator.Family.from_files`."""
        check_task(self, task)
        estimator = load_sklearn(files, self._entry.load())
        check_classes(estimator, task, n_classes)
        return FittedSklearn(estimator, self._entry)


@cache
def sklearn_family(name: str) -> SklearnFamily:
    """The family of a class of scikit-learn.

    Raises:
        ModelError: The class is not in the catalogue.
    """
    return SklearnFamily(entry_named(name))


def check_task(family: SklearnFamily, task: Task) -> None:
    """Refuse a task that the estimator cannot do.

    Raises:
        ModelError: It cannot.
    """
    if task not in family.tasks:
        raise ModelError(
            f"{family.name.removeprefix(SKLEARN_PREFIX)} does not predict a {task} target",
            wanted=f"task {' or '.join(family.tasks)}",
        )


def _rows(entry: SklearnEntry, X: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.float64]:
    """Trees compare in float32 anyway; whatever adds does so in float64."""
    return _writable(X) if entry.accepts_missing else X.astype(np.float64)


def _writable(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Trees write nothing, but with missing values they refuse rows that may not be written."""
    return X if X.flags.writeable else X.copy()
