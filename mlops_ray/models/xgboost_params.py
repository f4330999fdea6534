"""The parameters of XGBoost that a pipeline file may set, with the defaults that are passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.models.params import Choice, Number, Parameter, ParameterTable

if TYPE_CHECKING:
    from mlops_ray.config.model import Task

__all__ = ["CATEGORY_PARAMETERS", "OBJECTIVES", "XGBOOST_PARAMETERS"]

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
    "max_cat_to_onehot": Number(4, 1, 2**20, is_integer=True),
    "max_cat_threshold": Number(64, 1, 2**20, is_integer=True),
}
# Only for features with categories; without them they are not passed on.
CATEGORY_PARAMETERS: Final = ("max_cat_to_onehot", "max_cat_threshold")
XGBOOST_PARAMETERS: Final = ParameterTable(
    "xgboost",
    {
        "binary": {**_SHARED, "scale_pos_weight": Number(1.0, 0, above_low=True)},
        "multiclass": _SHARED,
        "regression": _SHARED,
    },
)
OBJECTIVES: Final[dict[Task, str]] = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}
