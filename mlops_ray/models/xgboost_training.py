"""Rows that boosters of XGBoost are fitted to: checked and quantised once, for many fits.

Two things are set so that the trees are the same wherever they grow. The base score is calculated
here, because XGBoost's own estimate for several classes has other bits on one thread than on two.
Sampling is seeded anew for every round, because the default generator is shared by all boosters of
a process.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import xgboost

from mlops_ray.models.category_codes import KnownCodes
from mlops_ray.models.guidance import NO_GUIDANCE, Guidance
from mlops_ray.models.training_checks import check_class_indices, check_training_inputs
from mlops_ray.models.xgboost_booster import CODES_ATTRIBUTE, FittedXGBoost
from mlops_ray.models.xgboost_params import CATEGORY_PARAMETERS, OBJECTIVES, XGBOOST_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = [
    "Quantised",
    "XGBoostGrowth",
    "XGBoostTraining",
    "base_score",
    "base_score_of_shares",
    "training_of_rows",
]

Quantised: TypeAlias = xgboost.QuantileDMatrix | xgboost.ExtMemQuantileDMatrix

_SEED_MODULUS: Final = 2**31  # Kept in the range of every generator behind the seed.
# What a live booster holds: of each training row margin, gradient and place in the tree; of each
# bin two sums, once for each node of its largest tree that can be split.
_BYTES_A_MARGIN: Final = 24
_BYTES_A_BIN: Final = 16
_MOST_MATRICES: Final = 2  # One for each number of bins in turn; each is as large as the table.


class XGBoostGrowth:
    """A live booster, which keeps its margins on the training rows from round to round.

    It never goes on from a saved model: that begins its sampling anew.

    Args:
        settings: Parameters of XGBoost.
        rows: Training rows.
        task: What is predicted.
        codes: Of features with categories.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        rows: Quantised,
        task: Task,
        codes: KnownCodes,
    ) -> None:
        self._rows, self._task = rows, task
        self._place = {"nthread": settings["nthread"], "device": settings["device"]}
        self._booster = xgboost.Booster(settings, [rows])
        _note_codes(self._booster, codes)
        self._n_rounds = 0
        self._settings = settings

    @property
    def held_bytes(self) -> int:
        """See `estimator.Growth`."""
        settings, n_rows = self._settings, self._rows.num_row()
        n_margins = n_rows * settings.get("num_class", 1)
        by_depth = 2 ** settings["max_depth"] - 1 if settings["max_depth"] else math.inf
        n_nodes = min(by_depth, settings["max_leaves"] or math.inf, n_rows)
        n_bins = self._rows.num_col() * min(settings["max_bin"], n_rows)
        return int(n_margins * _BYTES_A_MARGIN + n_nodes * n_bins * _BYTES_A_BIN)

    def to(self, n_rounds: int) -> FittedXGBoost:
        """Go on to a number of rounds; see `estimator.Growth.to`."""
        self._booster.set_param(self._place)
        for number in range(self._n_rounds, n_rounds):
            self._booster.update(self._rows, number)
        self._n_rounds = n_rounds
        return FittedXGBoost(self._booster, self._task)


class XGBoostTraining:
    """Rows that many boosters share: checked once, and quantised once for each number of bins.

    Args:
        quantise: Quantises the rows into so many bins.
        base_score: Where boosting starts from; see `base_score`.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        threads: Threads of one fit.
        guidance: What the fits are told beside parameters.
        codes: Of features with categories.
    """

    def __init__(
        self,
        quantise: Callable[[int], Quantised],
        base_score: float | list[float],
        task: Task,
        n_classes: int,
        threads: int,
        guidance: Guidance = NO_GUIDANCE,
        codes: KnownCodes | None = None,
    ) -> None:
        self._quantise, self._task = quantise, task
        self._codes = codes or KnownCodes.from_text("{}")
        self._fixed: dict[str, Any] = {
            "objective": OBJECTIVES[task],
            "nthread": threads,
            "device": guidance.device,
            "seed_per_iteration": True,
            "base_score": base_score,
            **_constraints(guidance),
        }
        if task == "multiclass":
            self._fixed["num_class"] = n_classes
        self._quantised: dict[int, Quantised] = {}

    def fit(self, params: Mapping[str, object], *, seed: int) -> FittedXGBoost:
        """Fit a booster; see `estimator.Family.fit`."""
        settings, rows, n_rounds = self._settings(params, seed)
        booster = xgboost.train(settings, rows, n_rounds)
        _note_codes(booster, self._codes)
        return FittedXGBoost(booster, self._task)

    def grow(self, params: Mapping[str, object], *, seed: int) -> XGBoostGrowth:
        """Begin a booster that goes on; see `estimator.Training.grow`."""
        settings, rows, _ = self._settings(params, seed)
        return XGBoostGrowth(settings, rows, self._task, self._codes)

    def _settings(
        self, params: Mapping[str, object], seed: int
    ) -> tuple[dict[str, Any], Quantised, int]:
        settings: dict[str, Any] = XGBOOST_PARAMETERS.resolve(params, self._task)
        n_rounds = settings.pop("n_estimators")
        if not self._codes:
            settings = {k: v for k, v in settings.items() if k not in CATEGORY_PARAMETERS}
        rows = self._rows(settings["max_bin"])
        return {**settings, **self._fixed, "seed": seed % _SEED_MODULUS}, rows, n_rounds

    def _rows(self, max_bin: int) -> Quantised:
        if max_bin not in self._quantised:
            while len(self._quantised) >= _MOST_MATRICES:
                del self._quantised[next(iter(self._quantised))]
            self._quantised[max_bin] = self._quantise(max_bin)
        return self._quantised[max_bin]


def training_of_rows(
    X: NDArray[np.float32],
    y: NDArray[np.int32] | NDArray[np.float64],
    task: Task,
    n_classes: int,
    threads: int,
    guidance: Guidance = NO_GUIDANCE,
) -> XGBoostTraining:
    """Training on rows in memory.

    Args:
        X: Feature rows, shape ``(n_rows, n_features)``.
        y: Class indices or target values, shape ``(n_rows,)``.
        task: What is predicted.
        n_classes: Classes there are; 0 for a regression.
        threads: Threads of one fit.
        guidance: What the fits are told beside parameters.

    Raises:
        ModelError: The rows cannot be used.
    """
    check_training_inputs(X, y)
    if task != "regression":
        check_class_indices(y, n_classes)
    codes = KnownCodes.of_rows(X, guidance.categories)
    types = ["c" if n else "q" for n in guidance.categories] if codes else None

    def quantise(max_bin: int) -> Quantised:
        return xgboost.QuantileDMatrix(
            codes.without_others(X),
            y,
            weight=guidance.weights,
            feature_types=types,
            enable_categorical=bool(codes),
            nthread=threads,
            max_bin=max_bin,
        )

    score = base_score(y, task, guidance.weights)
    return XGBoostTraining(quantise, score, task, n_classes, threads, guidance, codes)


def _constraints(guidance: Guidance) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if any(guidance.monotone):
        found["monotone_constraints"] = tuple(guidance.monotone)
    if guidance.interactions:
        found["interaction_constraints"] = str([list(group) for group in guidance.interactions])
    return found


def _note_codes(booster: xgboost.Booster, codes: KnownCodes) -> None:
    if codes:
        booster.set_attr(**{CODES_ATTRIBUTE: codes.to_text()})


def base_score(
    y: NDArray[np.int32] | NDArray[np.float64],
    task: Task,
    weights: NDArray[np.float64] | None = None,
) -> float | list[float]:
    """Mean target, share of class 1, or centred logarithms of the class shares.

    Args:
        y: Class indices or target values, shape ``(n_rows,)``.
        task: What is predicted.
        weights: How much each row counts; None where all count the same.
    """
    if task == "regression":
        if weights is None:
            return math.fsum(y.tolist()) / y.size
        return math.fsum((weights * y).tolist()) / math.fsum(weights.tolist())
    return base_score_of_shares(_shares(y.astype(np.int64), weights), task)


def base_score_of_shares(shares: Sequence[float], task: Task) -> float | list[float]:
    """The base score of a classification.

    Args:
        shares: Share of each class in the rows.
        task: What is predicted.

    Example:
        >>> base_score_of_shares([0.75, 0.25], "binary")
        0.25
    """
    if task == "binary":
        return shares[1]
    logarithms = [math.log(share) for share in shares]
    centre = math.fsum(logarithms) / len(logarithms)
    return [logarithm - centre for logarithm in logarithms]


def _shares(y: NDArray[np.int64], weights: NDArray[np.float64] | None) -> list[float]:
    """Share of each class in the rows, or in their weights."""
    if weights is None:
        return [float(share) for share in np.bincount(y) / y.size]
    total = math.fsum(weights.tolist())
    return [math.fsum(weights[y == label].tolist()) / total for label in range(int(y.max()) + 1)]
