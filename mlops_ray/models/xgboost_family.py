"""XGBoost with histograms, saved as UBJ.

A UBJ file written twice has the same bytes, and two things are set so that the trees are the same
wherever they grow. The base score is calculated here, because XGBoost's own estimate for several
classes has other bits on one thread than on two. Sampling is seeded anew for every round, because
the default generator is shared by all boosters of a process.

A damaged UBJ file can crash or hang the loader, so bytes come here only after their digest was
checked (`bundle.load_bundle`).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost

from mlops_ray.config.model import TASKS
from mlops_ray.errors import ModelError
from mlops_ray.models.estimator import check_class_indices, check_training_inputs
from mlops_ray.models.params import Choice, Number, Parameter, ParameterTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["FittedXGBoost", "XGBoostFamily", "XGBoostGrowth", "XGBoostTraining"]

_FILE: Final = "model.ubj"
_SEED_MODULUS: Final = 2**31  # Kept in the range of every generator behind the seed.
_MOST_MATRICES: Final = 2  # One for each number of bins in turn; each is as large as the table.

_SHARED: Final[dict[str, Parameter]] = {
    "n_estimators": Number(100, 1, 100_000, is_integer=True),
    "learning_rate": Number(0.3, 0, 1, above_low=True),
    "max_depth": Number(6, 0, 64, is_integer=True),
    "max_leaves": Number(0, 0, 2**20, is_integer=True),
    "grow_policy": Choice("depthwise", ("depthwise", "lossguide")),
    "min_child_weight": Number(1.0, 0),
    "gamma": Number(0.0, 0),
    "max_delta_step": Number(0.0, 0),
    "subsample": Number(1.0, 0, 1, above_low=True),
    "colsample_bytree": Number(1.0, 0, 1, above_low=True),
    "colsample_bylevel": Number(1.0, 0, 1, above_low=True),
    "colsample_bynode": Number(1.0, 0, 1, above_low=True),
    "reg_lambda": Number(1.0, 0),
    "reg_alpha": Number(0.0, 0),
    "max_bin": Number(256, 2, 65_536, is_integer=True),
    "tree_method": Choice("hist", ("hist",)),
}
_PARAMETERS: Final = ParameterTable(
    "xgboost",
    {
        "binary": {**_SHARED, "scale_pos_weight": Number(1.0, 0, above_low=True)},
        "multiclass": _SHARED,
        "regression": _SHARED,
    },
)
_OBJECTIVES: Final[dict[Task, str]] = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}


class FittedXGBoost:
    """A booster that predicts on one thread."""

    def __init__(self, booster: xgboost.Booster, task: Task) -> None:
        booster.set_param({"nthread": 1})
        self._booster = booster
        self._task = task

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        answer = np.asarray(self._booster.inplace_predict(X), dtype=np.float64)
        return np.stack([1.0 - answer, answer], axis=1) if self._task == "binary" else answer

    def to_files(self) -> dict[str, bytes]:
        """The booster as UBJ."""
        return {_FILE: bytes(self._booster.save_raw("ubj"))}


class XGBoostGrowth:
    """A live booster, which keeps its margins on the training rows from round to round.

    It never goes on from a saved model: that begins its sampling anew.

    Args:
        settings: Parameters of XGBoost.
        rows: Training rows.
        task: What is predicted.
    """

    def __init__(self, settings: dict[str, Any], rows: xgboost.QuantileDMatrix, task: Task) -> None:
        self._rows, self._task, self._threads = rows, task, settings["nthread"]
        self._booster = xgboost.Booster(settings, [rows])
        self._n_rounds = 0

    def to(self, n_rounds: int) -> FittedXGBoost:
        """Go on to a number of rounds; see `estimator.Growth.to`."""
        self._booster.set_param({"nthread": self._threads})
        for number in range(self._n_rounds, n_rounds):
            self._booster.update(self._rows, number)
        self._n_rounds = n_rounds
        return FittedXGBoost(self._booster, self._task)


class XGBoostTraining:
    """Rows that many boosters share: checked once, and quantised once for each number of bins.

    Args:
        X: Feature rows, shape ``(n_rows, n_features)``.
        y: Class indices or target values, shape ``(n_rows,)``.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        threads: Threads of one fit.

    Raises:
        ModelError: The rows cannot be used.
    """

    def __init__(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.int32] | NDArray[np.float64],
        task: Task,
        n_classes: int,
        threads: int,
    ) -> None:
        check_training_inputs(X, y)
        if task != "regression":
            check_class_indices(y, n_classes)
        self._X, self._y, self._task, self._threads = X, y, task, threads
        self._fixed: dict[str, Any] = {
            "objective": _OBJECTIVES[task],
            "nthread": threads,
            "seed_per_iteration": True,
            "base_score": _base_score(y, task),
        }
        if task == "multiclass":
            self._fixed["num_class"] = n_classes
        self._quantised: dict[int, xgboost.QuantileDMatrix] = {}

    def fit(self, params: Mapping[str, object], *, seed: int) -> FittedXGBoost:
        """Fit a booster; see `estimator.Family.fit`."""
        settings, rows, n_rounds = self._settings(params, seed)
        return FittedXGBoost(xgboost.train(settings, rows, n_rounds), self._task)

    def grow(self, params: Mapping[str, object], *, seed: int) -> XGBoostGrowth:
        """Begin a booster that goes on; see `estimator.Training.grow`."""
        settings, rows, _ = self._settings(params, seed)
        return XGBoostGrowth(settings, rows, self._task)

    def _settings(
        self, params: Mapping[str, object], seed: int
    ) -> tuple[dict[str, Any], xgboost.QuantileDMatrix, int]:
        settings: dict[str, Any] = _PARAMETERS.resolve(params, self._task)
        n_rounds = settings.pop("n_estimators")
        rows = self._rows(settings["max_bin"])
        return {**settings, **self._fixed, "seed": seed % _SEED_MODULUS}, rows, n_rounds

    def _rows(self, max_bin: int) -> xgboost.QuantileDMatrix:
        if max_bin not in self._quantised:
            while len(self._quantised) >= _MOST_MATRICES:
                del self._quantised[next(iter(self._quantised))]
            self._quantised[max_bin] = xgboost.QuantileDMatrix(
                self._X, self._y, nthread=self._threads, max_bin=max_bin
            )
        return self._quantised[max_bin]


class XGBoostFamily:
    """Gradient-boosted trees by XGBoost; missing values go to the better side of each split."""

    name: str = "xgboost"
    tasks: tuple[Task, ...] = TASKS
    platform: str = "xgboost_ubj"
    accepts_missing: bool = True
    rounds: str | None = "n_estimators"

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
    ) -> XGBoostTraining:
        """Quantise rows for many fits; see `estimator.Family.prepare`."""
        return XGBoostTraining(X, y, task, n_classes, threads)

    def from_files(
        self, files: Mapping[str, bytes], *, task: Task, n_classes: int
    ) -> FittedXGBoost:
        """Load a booster; see `estimator.Family.from_files`."""
        if _FILE not in files:
            raise ModelError("the bundle has no booster", str(sorted(files)), _FILE)
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(files[_FILE]))
        except xgboost.core.XGBoostError as error:
            raise ModelError("the booster cannot be read", str(error)[:300]) from error
        _check_purpose(booster, task, n_classes)
        return FittedXGBoost(booster, task)


def _base_score(y: NDArray[np.int32] | NDArray[np.float64], task: Task) -> float | list[float]:
    """Mean target, share of class 1, or centred logarithms of the class shares."""
    if task == "regression":
        return math.fsum(y.tolist()) / y.size
    shares = (np.bincount(y.astype(np.int64)) / y.size).tolist()
    if task == "binary":
        return float(shares[1])
    logarithms = [math.log(share) for share in shares]
    centre = math.fsum(logarithms) / len(logarithms)
    return [logarithm - centre for logarithm in logarithms]


def _check_purpose(booster: xgboost.Booster, task: Task, n_classes: int) -> None:
    learner = json.loads(booster.save_config())["learner"]
    got = (learner["objective"]["name"], int(learner["learner_model_param"]["num_class"]))
    wanted = (_OBJECTIVES[task], n_classes if task == "multiclass" else 0)
    if got != wanted:
        raise ModelError("booster and signature disagree", str(got), str(wanted))
