"""Expressions evaluated on Arrow columns, nulls as in SQL: what is not known is not false.

Comparisons keep the columns' own types, so that large integers, texts and times are compared
exactly; arithmetic is done in float64, and one time less another is a number of days.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.arrays import to_numbers
from mlops_ray.data.arrow_words import arrow_words
from mlops_ray.data.type_names import storage_type
from mlops_ray.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mlops_ray.data.expression import Constant, Expression
    from mlops_ray.data.schema import Schema

__all__ = ["FUNCTIONS", "expression_problem", "is_false"]

_Value: TypeAlias = pa.Array | pa.Scalar
_DAY_US: Final = 86_400_000_000.0


def is_false(expression: Expression, table: pa.Table) -> NDArray[np.bool_]:
    """True for each row of which the expression is false; not where it is true or null.

    Args:
        expression: Gives true or false.
        table: Holds its columns in canonical types.

    Raises:
        ColumnError: The expression does not fit the columns' types.
    """
    try:
        value = _evaluate(expression, table)
    except TypeError as error:  # Of types alone, which a table of nulls has as well.
        raise ColumnError(f"the expression {expression.text!r} does not fit", str(error)) from None
    except pa.ArrowException as error:
        # Without rows it can only be about a constant, which is no cell and is told.
        no_cells = all(column.null_count == len(column) for column in table.columns)
        got = _first_line(error) if no_cells else arrow_words(error)
        raise ColumnError(f"the expression {expression.text!r} does not fit", got) from None
    if not pa.types.is_boolean(value.type):
        got = f"a value of type {value.type}"
        raise ColumnError(f"the expression {expression.text!r} is no rule", got, "true or false")
    mask: NDArray[np.bool_] = pc.fill_null(pc.invert(value), fill_value=False).to_numpy(
        zero_copy_only=False
    )
    return mask


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def expression_problem(expression: Expression, schema: Schema) -> str:
    """Why an expression cannot be a rule of columns of these types; empty where it can.

    Raises:
        ConfigError: It names an operation or a function that is not known.
    """
    expression.bind(_OPERATIONS, _constant)
    absent = [name for name in expression.columns if name not in schema]
    if absent:
        return f"there is no column {absent[0]!r}"
    one_row = {name: pa.nulls(1, storage_type(schema[name])) for name in expression.columns}
    try:
        is_false(expression, pa.table(one_row))
    except ColumnError as error:
        return error.got
    return ""


def _evaluate(expression: Expression, table: pa.Table) -> pa.Array:
    columns = {name: _loaded(table.column(name)) for name in expression.columns}
    value = expression.bind(_OPERATIONS, _constant)(columns)
    return pa.repeat(value, table.num_rows) if isinstance(value, pa.Scalar) else value


def _constant(value: Constant) -> pa.Scalar:
    return pa.scalar(value)


def _loaded(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array: texts plain, decimals as float64, NaN as null."""
    if pa.types.is_decimal(column.type):
        return _without_nan(pa.array(to_numbers(column)))
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.num_chunks == 1:
        return _without_nan(column.chunk(0))  # `combine_chunks` would copy it.
    return _without_nan(pa.concat_arrays(column.chunks) if column.chunks else _empty(column))


def _empty(column: pa.ChunkedArray) -> pa.Array:
    return pa.array([], column.type)


def _without_nan(value: _Value) -> _Value:
    if isinstance(value, pa.Array) and pa.types.is_floating(value.type):
        is_nan = pc.is_nan(value)
        if pc.any(is_nan).as_py():
            return pc.if_else(is_nan, pa.scalar(None, value.type), value)
    return value


def _is_time(value: _Value) -> bool:
    return bool(pa.types.is_temporal(value.type))


def _is_number(value: _Value) -> bool:
    kind = value.type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def _number(value: _Value) -> _Value:
    if not _is_number(value):
        raise TypeError(f"{_named(value)} where a number is wanted")
    if pa.types.is_boolean(value.type):
        value = value.cast(pa.int8())
    return pc.cast(value, pa.float64(), safe=False)


def _named(value: _Value) -> str:
    return "a text" if pa.types.is_string(value.type) else f"a {value.type}"


def _alike(a: _Value, b: _Value) -> tuple[_Value, _Value]:
    """Two values of types that can be compared."""
    if _is_time(a) and isinstance(b, pa.Scalar) and pa.types.is_string(b.type):
        return a, b.cast(a.type)
    if _is_time(b) and isinstance(a, pa.Scalar) and pa.types.is_string(a.type):
        return a.cast(b.type), b
    whole = [pa.types.is_integer(value.type) for value in (a, b)]
    if a.type == b.type or all(whole) or (_is_time(a) and _is_time(b)):
        return a, b
    if _is_number(a) and _is_number(b):
        return _number(a), _number(b)
    raise TypeError(f"{_named(a)} is compared with {_named(b)}")


def _compared(kernel: Callable[..., _Value], a: _Value, b: _Value) -> _Value:
    return kernel(*_alike(a, b))


def _calculated(kernel: Callable[..., _Value], *values: _Value) -> _Value:
    return _without_nan(kernel(*(_number(value) for value in values)))


def _subtracted(a: _Value, b: _Value) -> _Value:
    if _is_time(a) and _is_time(b):
        ticks = [pc.cast(v, pa.timestamp("us")).cast(pa.int64()) for v in (a, b)]
        return pc.divide(pc.cast(pc.subtract(*ticks), pa.float64(), safe=False), _DAY_US)
    return _calculated(pc.subtract, a, b)


def _remainder(a: _Value, b: _Value) -> _Value:
    """As in Python, the sign is that of the divisor."""
    return pc.subtract(a, pc.multiply(b, pc.floor(pc.divide(a, b))))


def _members(value: _Value, members: Sequence[Constant]) -> _Value:
    allowed = pa.array(members)
    if _is_time(value):
        allowed = allowed.cast(value.type)
    elif value.type != allowed.type:
        value, allowed = _number(value), _number(allowed)
    found = pc.is_in(value, value_set=allowed)
    return pc.if_else(pc.is_valid(value), found, pa.scalar(None, pa.bool_()))


def _chosen(condition: _Value, a: _Value, b: _Value) -> _Value:
    return pc.if_else(condition, *_alike(a, b))


def _text(kernel: Callable[[_Value], _Value], value: _Value) -> _Value:
    return kernel(value)


def _round(value: _Value) -> _Value:
    return pc.round(value, round_mode="half_to_even")  # As Python's round.


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": partial(_calculated, pc.abs),
    "ceil": partial(_calculated, pc.ceil),
    "exp": partial(_calculated, pc.exp),
    "floor": partial(_calculated, pc.floor),
    "is_null": pc.is_null,
    "length": partial(_text, pc.utf8_length),
    "log": partial(_calculated, pc.ln),
    "lower": partial(_text, pc.utf8_lower),
    "max": partial(_calculated, partial(pc.max_element_wise, skip_nulls=False)),
    "min": partial(_calculated, partial(pc.min_element_wise, skip_nulls=False)),
    "round": partial(_calculated, _round),
    "sqrt": partial(_calculated, pc.sqrt),
}
_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "add": partial(_calculated, pc.add),
    "subtract": _subtracted,
    "multiply": partial(_calculated, pc.multiply),
    "divide": partial(_calculated, pc.divide),
    "remainder": partial(_calculated, _remainder),
    "negative": partial(_calculated, pc.negate),
    "positive": partial(_calculated, lambda value: value),
    "not": pc.invert,
    "and": pc.and_kleene,
    "or": pc.or_kleene,
    "equal": partial(_compared, pc.equal),
    "not_equal": partial(_compared, pc.not_equal),
    "less": partial(_compared, pc.less),
    "less_equal": partial(_compared, pc.less_equal),
    "greater": partial(_compared, pc.greater),
    "greater_equal": partial(_compared, pc.greater_equal),
    "if": _chosen,
    "members": _members,
    **FUNCTIONS,
}
