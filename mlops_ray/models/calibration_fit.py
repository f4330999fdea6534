"""Fitting calibrators to validation rows: Platt's sigmoid by Newton's method, or isotonic steps.

Sums are exact and rounded once, so that a sigmoid does not depend on the order of the rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.isotonic import IsotonicRegression

from mlops_ray.errors import ModelError
from mlops_ray.models.calibration import Calibrator, Curve, SigmoidCurve, StepCurve, log_odds
from mlops_ray.models.rowwise import sigmoid_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.estimator import Calibration

__all__ = ["fit_calibrator"]

_MOST_STEPS: Final = 100
_MOST_HALVINGS: Final = 40
_CLOSE: Final = 1e-10  # Gradient a unit of weight at which Newton's method ends.
_RIDGE: Final = 1e-12  # Keeps the equations solvable where all log odds are equal.


def fit_calibrator(
    method: Calibration,
    probabilities: NDArray[np.float64],
    y: NDArray[np.int32] | NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> Calibrator:
    """Fit one curve a class; for two classes that of the second alone.

    Args:
        method: Kind of curve.
        probabilities: What a model answered to rows that it has not seen, shape ``(n_rows,
            n_classes)``.
        y: Their class indices.
        weights: How much each row counts; None where all count the same.

    Raises:
        ModelError: A class does not occur in the rows.
    """
    n_classes = probabilities.shape[1]
    counted = y if weights is None else y[weights > 0]
    n_found = np.unique(counted).size
    if n_found < n_classes:
        raise ModelError(
            "the validation rows do not show every class, so nothing can be calibrated",
            f"{n_found} of {n_classes} classes",
            hint="give the validation split a larger share, or leave out 'model.calibration'",
        )
    fit = _sigmoid if method == "sigmoid" else _steps
    mass = np.ones(y.size) if weights is None else weights
    labels = [1] if n_classes == 2 else range(n_classes)
    curves = [
        fit(np.ascontiguousarray(probabilities[:, label]), y == label, mass) for label in labels
    ]
    return Calibrator(method, tuple(curves))


def _steps(
    shares: NDArray[np.float64], is_class: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Curve:
    regression: Any = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    regression.fit(shares, is_class.astype(np.float64), sample_weight=weights)
    x, y = (
        np.asarray(v, dtype=float) for v in (regression.X_thresholds_, regression.y_thresholds_)
    )
    return StepCurve(tuple(x.tolist()), tuple(y.tolist()))


def _sigmoid(
    shares: NDArray[np.float64], is_class: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Curve:
    """The most likely sigmoid.

    Targets are drawn in from 0 and 1 as Platt does, so that classes that are parted perfectly give
    no infinite slope.

    Source: Platt (1999), Probabilistic outputs for support vector machines; the algorithm is by
    Lin, Lin and Weng (2007), A note on Platt's probabilistic outputs.
    """
    odds = log_odds(shares)
    n_in, n_out = (math.fsum(weights[at].tolist()) for at in (is_class, ~is_class))
    target = np.where(is_class, (n_in + 1.0) / (n_in + 2.0), 1.0 / (n_out + 2.0))
    slope, intercept = 0.0, math.log((n_in + 1.0) / (n_out + 1.0))
    loss = _loss(odds, target, weights, slope, intercept)
    for _ in range(_MOST_STEPS):
        step, gradient = _newton_step(odds, target, weights, slope, intercept)
        if max(map(abs, gradient)) <= _CLOSE * (n_in + n_out):
            break
        size = 1.0
        for _ in range(_MOST_HALVINGS):
            new = slope + size * step[0], intercept + size * step[1]
            new_loss = _loss(odds, target, weights, *new)
            if new_loss < loss:
                break
            size /= 2
        else:
            break  # Rounding is all that is left.
        (slope, intercept), loss = new, new_loss
    return SigmoidCurve(slope, intercept)


def _newton_step(
    odds: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    slope: float,
    intercept: float,
) -> tuple[tuple[float, float], tuple[float, float]]:
    shares = sigmoid_probabilities(slope * odds + intercept)
    residual = weights * (shares[:, 1] - target)
    curvature = weights * shares[:, 0] * shares[:, 1]
    by_slope, by_intercept = _sum(residual * odds), _sum(residual)
    aa, ab, bb = _sum(curvature * odds * odds), _sum(curvature * odds), _sum(curvature)
    aa, bb = aa + _RIDGE, bb + _RIDGE
    determinant = aa * bb - ab * ab
    step = (
        -(bb * by_slope - ab * by_intercept) / determinant,
        -(aa * by_intercept - ab * by_slope) / determinant,
    )
    return step, (by_slope, by_intercept)


def _loss(
    odds: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    slope: float,
    intercept: float,
) -> float:
    """Cross-entropy: ``log(1 + exp(margin)) - target * margin``, without overflow."""
    margins = slope * odds + intercept
    return _sum(weights * (np.logaddexp(0.0, margins) - target * margins))


def _sum(values: NDArray[np.float64]) -> float:
    return math.fsum(values.tolist())
