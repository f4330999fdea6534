"""What answers in a bundle: an estimator or an ensemble, with or without a calibrator behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.models.calibration import CALIBRATION_FILE, Calibrator
from mlops_ray.models.ensemble import ENSEMBLE_FILE, load_ensemble

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task
    from mlops_ray.models.estimator import Family, Fitted

__all__ = ["Calibrated", "load_assembled"]


class Calibrated:
    """An estimator whose probabilities are corrected.

    Args:
        fitted: The estimator.
        calibrator: The correction.
    """

    def __init__(self, fitted: Fitted, calibrator: Calibrator) -> None:
        self._fitted = fitted
        self._calibrator = calibrator

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; see `estimator.Fitted.predict`."""
        return self._calibrator.of(self._fitted.predict(X))

    def to_files(self) -> dict[str, bytes]:
        """The estimator's files and the calibrator's numbers."""
        return {**self._fitted.to_files(), CALIBRATION_FILE: self._calibrator.to_bytes()}


def load_assembled(
    files: Mapping[str, bytes], family: Family, *, task: Task, n_classes: int
) -> Fitted:
    """What answers, from the files of a bundle whose digests were checked.

    Raises:
        ManifestError: Ensemble or calibration cannot be read by this version.
        ModelError: An estimator is absent, damaged or another one.
    """
    own = {path: data for path, data in files.items() if path != CALIBRATION_FILE}
    fitted: Fitted
    if ENSEMBLE_FILE in own:
        fitted = load_ensemble(own, family, task=task, n_classes=n_classes)
    else:
        fitted = family.from_files(own, task=task, n_classes=n_classes)
    if CALIBRATION_FILE not in files:
        return fitted
    return Calibrated(fitted, Calibrator.from_bytes(files[CALIBRATION_FILE]))
