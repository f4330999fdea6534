"""A fitted booster of XGBoost: answers on one thread of a CPU, saved as UBJ.

A UBJ file written twice has the same bytes. A damaged one can crash or hang the loader, so bytes
come here only after their digest was checked (`bundle.load_bundle`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import xgboost

from mlops_ray.errors import ModelError
from mlops_ray.models.category_codes import KnownCodes
from mlops_ray.models.xgboost_params import OBJECTIVES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = ["CODES_ATTRIBUTE", "FittedXGBoost", "load_xgboost"]

CODES_ATTRIBUTE: Final = "mlops_ray_category_codes"  # Of a booster, which saves it with its trees.
_FILE: Final = "model.ubj"


class FittedXGBoost:
    """A booster that predicts on one thread."""

    def __init__(self, booster: xgboost.Booster, task: Task) -> None:
        booster.set_param({"nthread": 1, "device": "cpu"})
        self._booster = booster
        self._task = task
        self._codes = KnownCodes.from_text(booster.attr(CODES_ATTRIBUTE) or "{}")

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        rows = self._codes.without_others(X)
        answer = np.asarray(self._booster.inplace_predict(rows), dtype=np.float64)
        return np.stack([1.0 - answer, answer], axis=1) if self._task == "binary" else answer

    def to_files(self) -> dict[str, bytes]:
        """The booster as UBJ."""
        return {_FILE: bytes(self._booster.save_raw("ubj"))}


def load_xgboost(files: Mapping[str, bytes], task: Task, n_classes: int) -> FittedXGBoost:
    """Load what `FittedXGBoost.to_files` wrote.

    Raises:
        ModelError: The file is absent, damaged or holds a booster for something else.
    """
    if _FILE not in files:
        raise ModelError("the bundle has no booster", str(sorted(files)), _FILE)
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(files[_FILE]))
    except xgboost.core.XGBoostError as error:
        raise ModelError("the booster cannot be read", str(error)[:300]) from error
    _check_purpose(booster, task, n_classes)
    return FittedXGBoost(booster, task)


def _check_purpose(booster: xgboost.Booster, task: Task, n_classes: int) -> None:
    learner = json.loads(booster.save_config())["learner"]
    got = (learner["objective"]["name"], int(learner["learner_model_param"]["num_class"]))
    wanted = (OBJECTIVES[task], n_classes if task == "multiclass" else 0)
    if got != wanted:
        raise ModelError("booster and signature disagree", str(got), str(wanted))
