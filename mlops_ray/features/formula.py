"""Formulas over columns: Python's syntax, a whitelist of its nodes, our elementary functions.

A name is a column; ``col("mean radius")`` is one whose name Python could not read. Numbers, ``+ - *
/ ** %``, comparisons (1.0 where true, 0.0 where false or null), and the functions below. Null is
NaN, and goes through everything but ``is_null``, ``fill`` and the branches of ``where``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.config.loader import nearest
from mlops_ray.features import elementary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["FUNCTIONS", "Formula", "parse"]

_Array = Any  # NDArray[np.float64]; `where` and comparisons confuse the type checker.


def _flag(condition: _Array) -> _Array:
    return condition.astype(np.float64)


def _where(condition: _Array, one: _Array, other: _Array) -> _Array:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, one, other))


# Name -> (number of arguments, function).
FUNCTIONS: Final[dict[str, tuple[int, Callable[..., _Array]]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, elementary.sqrt),
    "exp": (1, elementary.exp),
    "log": (1, elementary.log),
    "log1p": (1, elementary.log1p),
    "log2": (1, elementary.log2),
    "log10": (1, elementary.log10),
    "floor": (1, np.floor),
    "ceil": (1, np.ceil),
    "sign": (1, np.sign),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "is_null": (1, lambda value: _flag(np.isnan(value))),
    "fill": (2, lambda value, other: np.where(np.isnan(value), other, value)),
    "where": (3, _where),
}
_BINARY: Final[dict[type[ast.operator], Callable[[_Array, _Array], _Array]]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: elementary.power,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[_Array], _Array]]] = {
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[_Array, _Array], _Array]]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_MAX_NODES: Final = 500


@dataclass(frozen=True)
class Formula:
    """A formula that was read.

    Attributes:
        names: The columns it names.
    """

    names: frozenset[str]
    _run: Callable[[Mapping[str, _Array]], _Array]

    def evaluate(
        self, columns: Mapping[str, NDArray[np.float64]], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Its value for each row; NaN where there is none.

        Args:
            columns: Name -> values, shape ``(n_rows,)``.
            shape: ``(n_rows,)``.

        Returns:
            Shape ``(1, n_rows)``.
        """
        constant = np.zeros(shape)
        with np.errstate(all="ignore"):
            found = self._run({**columns, "": constant})
        return np.where(np.isinf(found), np.nan, found)[np.newaxis]


@lru_cache(maxsize=1024)
def parse(text: str) -> Formula:
    """Read a formula.

    Raises:
        ValueError: It is no formula; names the character, from 1, where.

    Example:
        >>> sorted(parse("log1p(income) / household").names)
        ['household', 'income']
    """
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = getattr(error, "offset", None) or 1
        raise ValueError(f"formula, character {at}: not Python") from None
    if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
        raise ValueError(f"formula: more than {_MAX_NODES} parts")
    names: set[str] = set()
    run = _compiled(tree.body, names)
    if not names:
        raise ValueError("formula, character 1: it names no column")
    return Formula(frozenset(names), run)


def _compiled(node: ast.expr, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:
    reader = _READERS.get(type(node))
    if reader is None:
        raise _refused(node, f"{type(node).__name__} is not allowed")
    return reader(node, names)


def _refused(node: ast.expr, what: str) -> ValueError:
    return ValueError(f"formula, character {node.col_offset + 1}: {what}")


def _constant(node: Any, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:  # noqa: ANN401, ARG001
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise _refused(node, f"a {type(node.value).__name__} is no number")
    try:
        value = float(node.value)
    except OverflowError:
        raise _refused(node, "the number is too large") from None
    return lambda columns: columns[""] + value


def _name(node: Any, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:  # noqa: ANN401
    names.add(node.id)
    return lambda columns: columns[node.id]


def _binary(node: Any, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:  # noqa: ANN401
    function = _BINARY.get(type(node.op))
    if function is None:
        raise _refused(node, f"{type(node.op).__name__} is not allowed")
    left, right = _compiled(node.left, names), _compiled(node.right, names)
    return lambda columns: function(left(columns), right(columns))


def _unary(node: Any, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:  # noqa: ANN401
    function = _UNARY.get(type(node.op))
    if function is None:
        raise _refused(node, f"{type(node.op).__name__} is not allowed")
    operand = _compiled(node.operand, names)
    return lambda columns: function(operand(columns))


def _comparison(node: Any, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:  # noqa: ANN401
    if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARISONS:
        raise _refused(node, "one of < <= > >= == != between two values is allowed")
    function = _COMPARISONS[type(node.ops[0])]
    left, right = _compiled(node.left, names), _compiled(node.comparators[0], names)

    def run(columns: Mapping[str, _Array]) -> _Array:
        one, other = left(columns), right(columns)
        return np.where(np.isnan(one) | np.isnan(other), np.nan, _flag(function(one, other)))

    return run


def _call(node: Any, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:  # noqa: ANN401
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "col":
        return _column(node, names)
    if name not in FUNCTIONS:
        raise _refused(node, f"there is no function {name!r}; {nearest(name, [*FUNCTIONS, 'col'])}")
    n, function = FUNCTIONS[name]
    if node.keywords or len(node.args) != n:
        raise _refused(node, f"{name} takes {n} values, got {len(node.args)}")
    arguments = [_compiled(argument, names) for argument in node.args]
    return lambda columns: function(*(argument(columns) for argument in arguments))


def _column(node: ast.Call, names: set[str]) -> Callable[[Mapping[str, _Array]], _Array]:
    argument = node.args[0] if len(node.args) == 1 and not node.keywords else None
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        raise _refused(node, 'col takes a column\'s name in quotes, as in col("mean radius")')
    column = argument.value
    if not column:
        raise _refused(node, "a column's name is empty")
    names.add(column)
    return lambda columns: columns[column]


_READERS: Final[dict[type[ast.expr], Callable[..., Callable[[Mapping[str, _Array]], _Array]]]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.Call: _call,
}
