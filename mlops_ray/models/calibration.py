"""Calibrators of probabilities: plain numbers that are written, read and applied row by row.

With more than two classes each has a curve of its own, against all others, and what comes out is
divided by its sum. A row's answer depends on that row alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from mlops_ray.errors import ManifestError
from mlops_ray.features.elementary import log
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.models.rowwise import sigmoid_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.config.estimator import Calibration

__all__ = [
    "CALIBRATION_FILE",
    "CALIBRATION_SCHEMA",
    "Calibrator",
    "Curve",
    "SigmoidCurve",
    "StepCurve",
    "log_odds",
]

CALIBRATION_FILE: Final = "calibration.json"
CALIBRATION_SCHEMA: Final = "mlops-ray/calibration/v1"
_LEAST: Final = 1e-9  # Of a probability and of what it lacks to 1; their log odds end at +-20.7.


class Curve(Protocol):
    """A function of one probability."""

    def of(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corrected probabilities, each from its own alone."""
        ...

    def to_json(self) -> dict[str, Any]:
        """As plain numbers."""
        ...


def log_odds(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """``log(p / (1 - p))`` of probabilities that are held off 0 and 1.

    Example:
        >>> log_odds(np.array([0.5])).tolist()
        [0.0]
    """
    held = np.clip(shares, _LEAST, 1.0 - _LEAST)
    odds: NDArray[np.float64] = log(held) - log(1.0 - held)
    return odds


@dataclass(frozen=True, slots=True)
class SigmoidCurve:
    """``1 / (1 + exp(-(slope * log odds + intercept)))``; 1 and 0 change next to nothing.

    Attributes:
        slope: Of the log odds.
        intercept: What is added to them.
    """

    slope: float
    intercept: float

    def of(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corrected probabilities; see `Curve.of`."""
        margins = self.slope * log_odds(shares) + self.intercept
        return np.ascontiguousarray(sigmoid_probabilities(margins)[:, 1])

    def to_json(self) -> dict[str, Any]:
        """As plain numbers."""
        return {"slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class StepCurve:
    """Straight between corners, level before the first and behind the last.

    Attributes:
        x: Probabilities at the corners, ascending.
        y: What they become, never falling.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def of(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corrected probabilities; see `Curve.of`."""
        x, y = np.array(self.x), np.array(self.y)
        if x.size == 1:
            return np.full(shares.shape, y[0])
        left = np.clip(np.searchsorted(x, shares, side="right") - 1, 0, x.size - 2)
        part = (shares - x[left]) / (x[left + 1] - x[left])
        between = y[left] + np.clip(part, 0.0, 1.0) * (y[left + 1] - y[left])
        # Rounding must not leave the corners: 0.3 + (0.9 - 0.3) is above 0.9.
        held: NDArray[np.float64] = np.clip(between, y[left], y[left + 1])
        return held

    def to_json(self) -> dict[str, Any]:
        """As plain numbers."""
        return {"x": list(self.x), "y": list(self.y)}


@dataclass(frozen=True, slots=True)
class Calibrator:
    """The curves of all classes.

    Attributes:
        method: What kind they are.
        curves: One a class; for two classes that of the second alone.
    """

    method: Calibration
    curves: tuple[Curve, ...]

    def of(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities, shape ``(n_rows, n_classes)``."""
        if len(self.curves) == 1:
            second = self.curves[0].of(np.ascontiguousarray(probabilities[:, 1]))
            return np.stack([1.0 - second, second], axis=1)
        columns = [
            curve.of(np.ascontiguousarray(probabilities[:, at]))
            for at, curve in enumerate(self.curves)
        ]
        return _normalised(columns)

    def to_bytes(self) -> bytes:
        """As canonical JSON."""
        curves = [curve.to_json() for curve in self.curves]
        content = {"schema": CALIBRATION_SCHEMA, "method": self.method, "curves": curves}
        return canonical_bytes(content)

    @classmethod
    def from_bytes(cls, data: bytes) -> Calibrator:
        """What `to_bytes` wrote.

        Raises:
            ManifestError: The bytes are something else.
        """
        content = from_canonical(data)
        if not isinstance(content, dict) or content.get("schema") != CALIBRATION_SCHEMA:
            raise ManifestError(
                "not a calibration this version can read", wanted=CALIBRATION_SCHEMA
            )
        try:
            method: Calibration = content["method"]
            return cls(method, tuple(_curve(method, item) for item in content["curves"]))
        except (LookupError, TypeError, ValueError) as error:
            raise ManifestError("the calibration is malformed", repr(error)) from error


def _curve(method: str, item: dict[str, Any]) -> Curve:
    if method == "sigmoid":
        return SigmoidCurve(float(item["slope"]), float(item["intercept"]))
    if method == "isotonic":
        x, y = (tuple(float(value) for value in item[name]) for name in ("x", "y"))
        if not x or len(x) != len(y):
            raise ValueError(f"{len(x)} corners, {len(y)} values")
        return StepCurve(x, y)
    raise ValueError(f"method {method!r}")


def _normalised(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Each row divided by its sum, from left to right; equal shares where that is 0."""
    total = columns[0].copy()
    for column in columns[1:]:
        total += column
    n, is_nothing = len(columns), total == 0.0
    divisor = np.where(is_nothing, 1.0, total)
    shares = [np.where(is_nothing, 1.0 / n, column / divisor) for column in columns]
    return np.stack(shares, axis=1)
