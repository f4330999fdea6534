"""Functions of a project's own as feature steps: of the captured code, with name and version."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np

from mlops_ray.errors import ColumnError
from mlops_ray.runtime.declared_function import FunctionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["FeatureFunction", "called", "feature_function", "load_function"]

F = TypeVar("F", bound="Callable[..., Any]")
_KIND: Final = FunctionKind(
    attribute="feature_version",
    absent="the features need the function {}",
    differs="the function {} is not the one that the features were made with",
    hint="start from the project that the model was made in, at the code of its run",
)
# Units are worked on in threads; a function that keeps a buffer of its own never hears of that.
_ONE_AT_A_TIME: Final = threading.RLock()


class FeatureFunction(Protocol):
    """A function at the top of a module of the project, decorated with `feature_function`."""

    feature_version: int

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features of some rows; those of a row may depend on that row alone.

        Args:
            values: Shape ``(n_columns, n_rows)``; NaN is a missing value.

        Returns:
            Shape ``(n_outputs, n_rows)``.
        """


def feature_function(version: int) -> Callable[[F], F]:
    """Register a function as a feature step, with the version that a pipeline file has to name.

    Example:
        >>> @feature_function(version=1)
        ... def ratio(values):
        ...     return values[:1] / (values[1:] + 1.0)
        >>> ratio.feature_version
        1
    """
    return _KIND.mark(version)


def load_function(name: str, version: int) -> FeatureFunction:
    """The function that a state names.

    Args:
        name: ``module:function``.
        version: The one that the features were made with.

    Raises:
        ModelError: It cannot be imported here, or has another version.
    """
    function: FeatureFunction = _KIND.load(name, version)
    return function


def called(
    function: FeatureFunction, name: str, outputs: Sequence[str], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a function makes of a block, which it gets as a copy of its own.

    In one process no two run at once, and what was answered may be overwritten by the next call.

    Raises:
        ColumnError: The answer has another shape.
    """
    with _ONE_AT_A_TIME:
        found = np.array(function(np.array(values)), dtype=np.float64)
    wanted = (len(outputs), values.shape[1])
    if found.shape != wanted:
        raise ColumnError(
            f"the function {name!r} answers with another shape", f"{found.shape}", f"{wanted}"
        )
    return found
