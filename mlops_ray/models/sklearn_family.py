"""What the two scikit-learn families share: fitting under a thread limit, and their one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from threadpoolctl import threadpool_limits

from mlops_ray.errors import ModelError
from mlops_ray.models.skops_canonical import checked_loads
from mlops_ray.models.training_checks import check_class_indices, check_training_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.config.model import Task

__all__ = [
    "SKLEARN_PLATFORM",
    "SKOPS_FILE",
    "check_classes",
    "fit_sklearn",
    "load_sklearn",
    "seed_of",
]

SKLEARN_PLATFORM: Final = "sklearn_skops"
SKOPS_FILE: Final = "model.skops"


def seed_of(seed: int) -> int:
    """A derived seed in the range scikit-learn takes."""
    return seed % 2**31


def fit_sklearn(
    estimator: Any,  # noqa: ANN401 - scikit-learn has no stubs
    X: NDArray[np.float32] | NDArray[np.float64],
    y: NDArray[np.int32] | NDArray[np.float64],
    *,
    n_classes: int,
    threads: int,
    weights: NDArray[np.float64] | None = None,
) -> None:
    """Check the rows and fit in place, with OpenMP and BLAS held to `threads`.

    Raises:
        ModelError: The rows cannot be used, or a class never occurs.
    """
    check_training_inputs(X, y)
    if n_classes:
        check_class_indices(y, n_classes)
    with threadpool_limits(limits=threads):
        if weights is None:  # Not every estimator takes any.
            estimator.fit(X, y)
        else:
            estimator.fit(X, y, sample_weight=weights)


def load_sklearn(files: Mapping[str, bytes], wanted: type) -> Any:  # noqa: ANN401 - no stubs
    """Load the estimator of a bundle.

    Raises:
        ModelError: The file is absent, damaged or holds something else.
    """
    if SKOPS_FILE not in files:
        raise ModelError("the bundle has no estimator", str(sorted(files)), SKOPS_FILE)
    return checked_loads(files[SKOPS_FILE], wanted)


def check_classes(estimator: Any, task: Task, n_classes: int) -> None:  # noqa: ANN401 - no stubs
    """Refuse a loaded classifier that knows other classes than the signature.

    Raises:
        ModelError: The numbers of classes differ.
    """
    if task != "regression" and len(estimator.classes_) != n_classes:
        raise ModelError(
            "estimator and signature disagree on the number of classes",
            str(len(estimator.classes_)),
            str(n_classes),
        )
