"""Expressions over columns, see `mlops_ray.data.expression`, bound to numpy and our functions.

Everything is a float64: a comparison gives 1.0 or 0.0. Null is NaN and goes through everything but
``is_null``, ``fill`` and the branches of ``where`` and ``if``-``else``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from mlops_ray.data.expression import MEMBERS, Constant, parse_expression
from mlops_ray.errors import ConfigError
from mlops_ray.features import elementary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["FUNCTIONS", "Formula", "parse_formula"]

_Operation: TypeAlias = Callable[..., Any]  # Of float64 arrays.


def _chosen(condition: Any, one: Any, other: Any) -> Any:  # noqa: ANN401 - arrays
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, one, other))


def _of(n: int, function: _Operation) -> _Operation:
    """A function of n values: numpy would take one more for where the result goes."""

    def run(*values: Any) -> Any:  # noqa: ANN401 - arrays
        if len(values) != n:
            raise TypeError(f"a function of {n} is given {len(values)} values")
        return function(*values)

    return run


# What may be called by name.
FUNCTIONS: Final[dict[str, _Operation]] = {
    "abs": _of(1, np.abs),
    "sqrt": _of(1, elementary.sqrt),
    "exp": _of(1, elementary.exp),
    "log": _of(1, elementary.log),
    "log1p": _of(1, elementary.log1p),
    "log2": _of(1, elementary.log2),
    "log10": _of(1, elementary.log10),
    "floor": _of(1, np.floor),
    "ceil": _of(1, np.ceil),
    "sign": _of(1, np.sign),
    "min": _of(2, np.minimum),
    "max": _of(2, np.maximum),
    "is_null": _of(1, lambda value: np.isnan(value).astype(np.float64)),
    "fill": _of(2, lambda value, other: np.where(np.isnan(value), other, value)),
    "where": _of(3, _chosen),
}


def _told(function: _Operation) -> _Operation:
    """A truth as 1.0 or 0.0; NaN where an operand is NaN."""

    def run(*values: Any) -> Any:  # noqa: ANN401 - arrays
        unknown = np.logical_or.reduce([np.isnan(value) for value in np.broadcast_arrays(*values)])
        return np.where(unknown, np.nan, function(*values))

    return run


def _members(value: Any, members: tuple[Constant, ...]) -> Any:  # noqa: ANN401 - an array
    known = [_constant(member) for member in members]
    return _told(lambda found: np.isin(found, known))(value)


_OPERATIONS: Final[dict[str, _Operation]] = {
    **FUNCTIONS,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "floor_divide": np.floor_divide,
    "remainder": np.mod,
    "power": elementary.power,
    "negative": np.negative,
    "positive": np.positive,
    "if": _chosen,
    "not": _told(lambda value: value == 0),
    "and": _told(lambda one, other: (one != 0) & (other != 0)),
    "or": _told(lambda one, other: (one != 0) | (other != 0)),
    "equal": _told(np.equal),
    "not_equal": _told(np.not_equal),
    "less": _told(np.less),
    "less_equal": _told(np.less_equal),
    "greater": _told(np.greater),
    "greater_equal": _told(np.greater_equal),
    MEMBERS: _members,
}


def _constant(value: Constant) -> Any:  # noqa: ANN401 - a numpy number
    if isinstance(value, str):
        raise ConfigError("a formula knows no texts", repr(value), "numbers")
    try:
        return np.array([float(value)])
    except OverflowError:
        raise ConfigError("a number of the formula is too large", str(value)[:20]) from None


class Formula:
    """A formula that was read.

    Attributes:
        columns: The columns it names, in the order of their first use.
    """

    def __init__(self, text: str) -> None:
        """Read it, and try it on one row.

        Raises:
            ConfigError: It is no expression, calls what is not known, or with too many values.
        """
        expression = parse_expression(text)
        self.columns = expression.columns
        self._run = expression.bind(_OPERATIONS, _constant)
        try:
            self.evaluate(dict.fromkeys(self.columns, np.ones(1)))
        except TypeError as error:
            raise ConfigError(f"the formula {text!r} cannot be used", str(error)) from None

    def evaluate(self, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Its value for each row; NaN where there is none.

        Args:
            columns: Name -> values, shape ``(n_rows,)``.

        Returns:
            Shape ``(1, n_rows)``.
        """
        n_rows = len(columns[self.columns[0]])
        with np.errstate(all="ignore"):
            found = np.broadcast_to(self._run(columns), (n_rows,))
        return np.where(np.isinf(found), np.nan, found)[np.newaxis]


@lru_cache(maxsize=1024)
def parse_formula(text: str) -> Formula:
    """The formula that a text is.

    Raises:
        ConfigError: See `Formula`.

    Example:
        >>> parse_formula("log1p(income) / household").columns
        ('income', 'household')
    """
    return Formula(text)
