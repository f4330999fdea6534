"""Expressions over columns: a whitelisted part of Python, parsed once, evaluated by any kernels.

The text is parsed by Python's own parser and never executed: each node that is not listed here is
refused with its place. What the operations do is the caller's: `Expression.bind` takes a table of
them by name, such as ``{"add": np.add, ...}`` for numpy arrays or the kernels of pyarrow, and gives
a function of the columns. So the contract and the features share one grammar, not one arithmetic.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from mlops_ray.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COLUMN", "MEMBERS", "Constant", "Evaluate", "Expression", "parse_expression"]

V = TypeVar("V")
Constant: TypeAlias = bool | int | float | str
Evaluate: TypeAlias = "Callable[[Mapping[str, V]], V]"

COLUMN: Final = "col"  # col("a name that is no identifier") stands for that column.
MEMBERS: Final = "members"  # x in (1, 2): called with x and the tuple of constants.
_MAX_NODES: Final = 200
_MAX_DEPTH: Final = 40
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Pow: "power",
}
_UNARY: Final[dict[type[ast.unaryop], str]] = {
    ast.USub: "negative",
    ast.UAdd: "positive",
    ast.Not: "not",
}
_COMPARED: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}


@dataclass(frozen=True, slots=True)
class _Node(Generic[V]):
    """A column, a constant, or an operation on others; `at` is its column in the text, from 1."""

    kind: str
    at: int
    value: Any = None
    parts: tuple[_Node[V], ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; plain data, so that it can be sent to any worker.

    Attributes:
        text: As it was written.
        columns: Names of the columns it reads, in the order of their first use.
    """

    text: str
    columns: tuple[str, ...]
    _tree: _Node[Any] = field(repr=False)

    def bind(
        self, operations: Mapping[str, Callable[..., V]], constant: Callable[[Constant], V]
    ) -> Evaluate[V]:
        """The expression as a function of its columns.

        Args:
            operations: Name -> what it does: ``add subtract multiply divide floor_divide remainder
                power negative positive not and or equal not_equal less less_equal greater
                greater_equal if members``, and each function by its own name. ``and`` and ``or``
                take two values, ``if`` a condition and both outcomes, `MEMBERS` a value and a tuple
                of constants.
            constant: Makes a value of a constant.

        Raises:
            ConfigError: The table lacks an operation; its place is told.

        Example:
            >>> import numpy as np
            >>> half = parse_expression("(a + b) / 2")
            >>> numpy = {"add": np.add, "divide": np.divide}
            >>> half.bind(numpy, np.float64)({"a": np.array([1.0]), "b": np.array([4.0])})
            array([2.5])
        """
        return self._bound(self._tree, operations, constant)

    def _bound(
        self,
        node: _Node[Any],
        operations: Mapping[str, Callable[..., V]],
        constant: Callable[[Constant], V],
    ) -> Evaluate[V]:
        if node.kind == "column":
            name = node.value
            return lambda columns: columns[name]
        if node.kind == "constant":
            fixed = constant(node.value)
            return lambda _: fixed
        if node.kind not in operations:
            known = ", ".join(sorted(operations))
            raise _refused(self.text, f"{node.kind!r} is not known here", node.at, known)
        operation = operations[node.kind]
        parts = [self._bound(part, operations, constant) for part in node.parts]
        if node.kind == MEMBERS:
            (part,), members = parts, node.value
            return lambda columns: operation(part(columns), members)
        return lambda columns: operation(*(part(columns) for part in parts))


def parse_expression(text: str) -> Expression:
    """Parse an expression.

    Args:
        text: Names stand for columns; ``col("mean radius")`` for one whose name is no identifier.

    Raises:
        ConfigError: It is no expression, too long, or holds something that is not allowed; names
            the character where.

    Example:
        >>> parse_expression("end >= start").columns
        ('end', 'start')
        >>> parse_expression("a.b > 0")
        Traceback (most recent call last):
        mlops_ray.errors.ConfigError: the expression 'a.b > 0' cannot be used: got an attribute, \
at character 1, wanted columns, numbers, texts, + - * / // % **, comparisons, and, or, not, in, \
if-else and functions
    """
    try:
        parsed = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = getattr(error, "offset", None) or 1
        reason = getattr(error, "msg", None) or "it is nested too deeply"
        raise _refused(text, reason, at) from None
    n_nodes = sum(1 for _ in ast.walk(parsed))
    if n_nodes > _MAX_NODES:
        raise _refused(text, f"{n_nodes} parts", 1, f"at most {_MAX_NODES}")
    reader = _Reader(text)
    tree = reader.read(parsed.body)
    if not reader.columns:
        raise _refused(text, "no column", 1, "at least 1")
    return Expression(text, tuple(reader.columns), tree)


class _Reader:
    """Turns Python's nodes into ours and collects the columns."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.columns: dict[str, None] = {}
        self._depth = 0

    def read(self, node: ast.expr) -> _Node[Any]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._no(node, "nested too deeply")
        try:
            return self._read(node)
        finally:
            self._depth -= 1

    def _read(self, node: ast.expr) -> _Node[Any]:  # noqa: C901, PLR0911 - a line each
        match node:
            case ast.Name(id=name):
                return self._column(name, node)
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return _Node("constant", node.col_offset + 1, value)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._operation(_BINARY[type(op)], node, left, right)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return self._operation(_UNARY[type(op)], node, operand)
            case ast.BoolOp(op=op, values=values):
                return self._joined("and" if isinstance(op, ast.And) else "or", node, values)
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._operation("if", node, test, body, orelse)
            case ast.Call():
                return self._call(node)
        raise self._no(node)

    def _operation(self, kind: str, node: ast.expr, *parts: ast.expr) -> _Node[Any]:
        return _Node(kind, node.col_offset + 1, None, tuple(self.read(part) for part in parts))

    def _column(self, name: str, node: ast.expr) -> _Node[Any]:
        self.columns[name] = None
        return _Node("column", node.col_offset + 1, name)

    def _joined(self, kind: str, node: ast.expr, values: list[ast.expr]) -> _Node[Any]:
        return self._folded(kind, node, [self.read(value) for value in values])

    @staticmethod
    def _folded(kind: str, node: ast.expr, parts: list[_Node[Any]]) -> _Node[Any]:
        joined = parts[0]
        for part in parts[1:]:
            joined = _Node(kind, node.col_offset + 1, None, (joined, part))
        return joined

    def _comparison(self, node: ast.Compare) -> _Node[Any]:
        """A chain ``a < b < c`` is ``a < b and b < c``, as in Python."""
        lefts = [node.left, *node.comparators[:-1]]
        links = zip(lefts, node.ops, node.comparators, strict=True)
        return self._folded("and", node, [self._link(node, *link) for link in links])

    def _link(self, node: ast.expr, left: ast.expr, op: ast.cmpop, right: ast.expr) -> _Node[Any]:
        if type(op) in _COMPARED:
            return self._operation(_COMPARED[type(op)], node, left, right)
        if isinstance(op, ast.Is | ast.IsNot):
            raise self._no(node, "'is'")
        at = node.col_offset + 1
        found: _Node[Any] = _Node(MEMBERS, at, self._members(right), (self.read(left),))
        return found if isinstance(op, ast.In) else _Node("not", at, None, (found,))

    def _members(self, node: ast.expr) -> tuple[Constant, ...]:
        if isinstance(node, ast.Tuple | ast.List | ast.Set) and node.elts:
            items = [self._constant(item) for item in node.elts]
            if len({isinstance(item, str) for item in items}) == 1:
                return tuple(items)
        raise self._no(node, "no list", "a list of numbers or of texts after 'in'")

    def _constant(self, node: ast.expr) -> Constant:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
        raise self._no(node, "no constant", "numbers or texts after 'in'")

    def _call(self, node: ast.Call) -> _Node[Any]:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise self._no(node, "a call of something else than a function, or with keywords")
        name = node.func.id
        if name != COLUMN:
            if name.startswith("_") or name in _RESERVED:
                raise self._no(node, f"the function {name!r}")
            return self._operation(name, node, *node.args)
        match node.args:
            case [ast.Constant(value=str() as column)]:
                return self._column(column, node)
        raise self._no(node, f"{COLUMN} of something else", f'{COLUMN}("a column\'s name")')

    def _no(self, node: ast.expr, got: str = "", wanted: str = "") -> ConfigError:
        named = type(node).__name__.lower()
        shown = got or f"{'an' if named[0] in 'aeiou' else 'a'} {named}"
        return _refused(self.text, shown, node.col_offset + 1, wanted)


_RESERVED: Final = frozenset(
    {*_BINARY.values(), *_UNARY.values(), *_COMPARED.values(), "and", "or", "if", MEMBERS}
)
_ALLOWED: Final = (
    "columns, numbers, texts, + - * / // % **, comparisons, and, or, not, in, if-else and functions"
)


def _refused(text: str, got: str, at: int, wanted: str = "") -> ConfigError:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    what = f"the expression {shown!r} cannot be used"
    return ConfigError(what, f"{got}, at character {at}", wanted or _ALLOWED)
