"""Which rows break a rule: vectorised, and next to nothing where none does.

What a column holds is looked at before any row is: its null count, its extremes, its dictionary. A
null breaks the rule on nulls alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.config.contract import CheckRule, NullsRule, PatternRule, RangeRule, ValuesRule
from mlops_ray.data.arrays import null_mask, to_numbers
from mlops_ray.data.arrow_expression import is_false
from mlops_ray.data.expression import parse_expression
from mlops_ray.data.rule_values import as_bound, as_members

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mlops_ray.data.rule import Rule
    from mlops_ray.data.schema import LogicalType, Schema

__all__ = ["Mask", "breaking_rows", "regex_problem"]

Mask: TypeAlias = "NDArray[np.bool_] | None"


def breaking_rows(rule: Rule, table: pa.Table, schema: Schema) -> Mask:
    """True for each row that breaks a rule of rows; None where no row does.

    Args:
        rule: Fits the types of the columns, see `data.rule.misfit`.
        table: Holds them in canonical types.
        schema: Their logical types.
    """
    declared = rule.declared
    if isinstance(declared, CheckRule):
        return _any(is_false(parse_expression(declared.expression), table))
    column, dtype = table.column(rule.columns[0]), schema[rule.columns[0]]
    if isinstance(declared, NullsRule):
        return _nulls(column)
    if isinstance(declared, RangeRule):
        return _outside(column, dtype, declared)
    if isinstance(declared, PatternRule):
        pattern = _whole(declared.regex)
        return _of_values(column, lambda v: pc.match_substring_regex(v, pattern))
    if isinstance(declared, ValuesRule):
        allowed = as_members(declared.allowed, dtype)
        return _of_values(column, lambda v: pc.is_in(v, value_set=allowed))
    raise TypeError(f"{rule.name} is no rule of rows")


def regex_problem(regex: str) -> str:
    """Why RE2 does not take a regular expression; empty where it does.

    RE2 answers in time linear in the text, whatever the expression; so it has no look-around and
    no back-references.

    Example:
        >>> regex_problem("(a+)+b"), regex_problem("(a")
        ('', 'missing ): (a')
    """
    try:
        # Alone as well: "a)|(b" would close the group that holds it to the whole text.
        for pattern in (regex, _whole(regex)):
            pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        return str(error).removeprefix("Invalid regular expression: ")
    return ""


def _whole(regex: str) -> str:
    return rf"\A(?:{regex})\z"


def _any(mask: NDArray[np.bool_]) -> Mask:
    return mask if mask.any() else None


def _nulls(column: pa.ChunkedArray) -> Mask:
    if pa.types.is_floating(column.type):
        missing: NDArray[np.bool_] = pc.is_null(column, nan_is_null=True).to_numpy()
        return _any(missing)
    return null_mask(column) if column.null_count else None


def _outside(column: pa.ChunkedArray, dtype: LogicalType, rule: RangeRule) -> Mask:
    low, high = (None if b is None else as_bound(b, dtype) for b in (rule.min, rule.max))
    if dtype == "integer":
        low, high = _whole_number(low, math.ceil), _whole_number(high, math.floor)
    if dtype == "decimal":
        column = pa.chunked_array([to_numbers(column)])
    seen = pc.min_max(column)  # Looks past nulls and NaN.
    masks = []
    if low is not None and pc.less(seen["min"], low).as_py():
        masks.append(pc.less(column, low))
    if high is not None and pc.greater(seen["max"], high).as_py():
        masks.append(pc.greater(column, high))
    if not masks:
        return None
    outside = masks[0] if len(masks) == 1 else pc.or_(*masks)
    return _any(pc.fill_null(outside, fill_value=False).to_numpy())


def _whole_number(bound: Any, rounded: Callable[[float], int]) -> int | None:  # noqa: ANN401
    """A whole number below 0.5 is one below 1; none lies beyond what 64 bits hold."""
    return None if bound is None else min(max(rounded(bound), -(2**63)), 2**63 - 1)


def _of_values(column: pa.ChunkedArray, is_good: Callable[[pa.Array], pa.Array]) -> Mask:
    """Judged once a distinct value where the column is dictionary-encoded."""
    if not len(column):
        return None
    if not pa.types.is_dictionary(column.type):
        good = pc.or_(pc.is_null(column, nan_is_null=True), is_good(column))
        return None if pc.all(good).as_py() else pc.invert(good).to_numpy()
    joined = column.unify_dictionaries()
    encoded = joined.chunk(0) if joined.num_chunks == 1 else pa.concat_arrays(joined.chunks)
    good = pc.fill_null(is_good(encoded.dictionary), fill_value=True)
    if pc.all(good).as_py() in {True, None}:
        return None
    bad = np.append(~good.to_numpy(zero_copy_only=False), False)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return _any(bad[codes])  # A value may stand in the dictionary unused; -1 takes the last.
