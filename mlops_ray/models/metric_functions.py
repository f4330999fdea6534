"""Metrics of a project's own: functions of the captured code, with direction and version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np

from mlops_ray.errors import ModelError
from mlops_ray.models.metrics import wanted_predictions
from mlops_ray.runtime.declared_function import FunctionKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mlops_ray.config.validation import MetricFunctionConfig

__all__ = ["MetricFunction", "load_metric", "metric", "score_by"]

F = TypeVar("F", bound="Callable[..., Any]")
_KIND: Final = FunctionKind(
    attribute="metric_version",
    absent="there is no metric {}",
    differs="the metric {} is not the declared one",
    hint="start from the project that the pipeline file is of",
)


class MetricFunction(Protocol):
    """A function at the top of a module of the project, decorated with `metric`."""

    metric_version: int

    def __call__(self, y: NDArray[Any], predicted: NDArray[Any]) -> float:
        """A score of some rows; it may depend on these arguments alone.

        Args:
            y: Class indices in the order of the classes, or values, shape ``(n_rows,)``.
            predicted: As the pipeline file says the metric needs: class indices, ``(n_rows,)``;
                probabilities, ``(n_rows, n_classes)``; or values, ``(n_rows,)``.

        Returns:
            A number; NaN where the metric is not defined on these rows.
        """


def metric(version: int) -> Callable[[F], F]:
    """Mark a function as a metric, with the version that a pipeline file has to name.

    Example:
        >>> @metric(version=1)
        ... def missed(y, predicted):
        ...     return float(((y == 1) & (predicted == 0)).sum())
        >>> missed.metric_version
        1
    """
    return _KIND.mark(version)


def load_metric(name: str, version: int) -> MetricFunction:
    """The function that a spec names.

    Args:
        name: ``module:function``.
        version: The one that was declared.

    Raises:
        ModelError: It cannot be imported here, or has another version.
    """
    function: MetricFunction = _KIND.load(name, version)
    return function


def score_by(
    declared: MetricFunctionConfig, y: NDArray[Any], predictions: NDArray[np.float64]
) -> float:
    """Score predictions by a metric of the project; see `metrics.score`.

    Raises:
        ModelError: There is no such metric, the shapes do not fit, or it answers with no number.
    """
    name = declared.function
    wanted = wanted_predictions(name, declared.needs, y, predictions)
    function = load_metric(name, declared.version)
    if wanted is None:
        return float("nan")
    answer = function(np.array(y), np.array(wanted))
    if isinstance(answer, bool) or not isinstance(answer, int | float | np.number):
        raise ModelError(
            f"the metric {name!r} answers with no number", type(answer).__name__, "a float"
        )
    return float(answer)
