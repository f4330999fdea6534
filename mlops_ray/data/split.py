"""The split: which rows train, validate and test, each told from that row alone.

Because nothing but the row's own key, group or time decides, the split is the same whatever the
file cuts, the row order or the number of CPUs, and a row stays in its part when others are added.
A stratified split also looks at the bounds of the row's class, which `data.find_strata` finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.arrays import to_integers, to_numbers
from mlops_ray.data.complete_column import refuse_nulls
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.config.model import SplitConfig
    from mlops_ray.data.schema import LogicalType, Schema
    from mlops_ray.data.strata import Strata

__all__ = [
    "SPLITS",
    "SplitName",
    "SplitRows",
    "assign_split",
    "is_late",
    "split_hashes",
]

SplitName: TypeAlias = Literal["train", "valid", "test"]
# A row's code is a position here.
SPLITS: Final[tuple[SplitName, ...]] = ("train", "valid", "test")
_TRAIN, _VALID, _TEST = range(3)


@dataclass(frozen=True, slots=True)
class SplitRows:
    """All that decides a row's part.

    Attributes:
        rule: The declared split.
        key: Columns whose hash decides shares; rows of one key stay together.
        time: Column that `time_from` is compared with.
        salt: Derived from the root seed; another salt deals the keys anew.
        target: Column of the classes, for a stratified split.
        strata: Where the parts of each class end; None where the split is not stratified.
    """

    rule: SplitConfig
    key: tuple[str, ...]
    time: str | None
    salt: int
    target: str | None = None
    strata: Strata | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that are read to assign a split."""
        more = [self.rule.group, self.time, self.target if self.rule.stratify else None]
        return list(dict.fromkeys([*self.key, *(name for name in more if name)]))

    @property
    def hashed(self) -> tuple[str, ...]:
        """The columns whose hash decides shares."""
        return self.key if self.rule.group is None else (self.rule.group,)


def assign_split(table: pa.Table, schema: Schema, split: SplitRows) -> NDArray[np.int8]:
    """Each row's part: 0 train, 1 valid, 2 test.

    A row from `test.time_from` on, or of the first `test.share` of the keys, tests; of the rest,
    the next `valid.share` of the keys, or rows from `valid.time_from` on, validate; others train.
    Shares are of the groups where there are some, and of each class where the split is stratified.

    Args:
        table: Holds the split's columns in canonical types.
        schema: Logical types of the columns.
        split: The rule and the columns it looks at.

    Returns:
        Codes, shape ``(n_rows,)``: positions in `SPLITS`.

    Raises:
        ColumnError: A key, group or time is null, or `time_from` cannot be compared with the
            column.
    """
    rule = split.rule
    codes: NDArray[np.int8] = np.full(table.num_rows, _TRAIN, dtype=np.int8)
    valid_from = None if rule.valid is None else rule.valid.time_from
    if rule.valid_share or rule.test.share is not None:
        hashes = split_hashes(table, schema, split)
        bounds = _shares(rule)
        ends = bounds if split.strata is None else split.strata.of_rows(table[split.target or ""])
        codes[hashes < ends[1]] = _VALID
        codes[hashes < ends[0]] = _TEST
    if valid_from is not None:
        late = _from_time(table, schema, split, valid_from)
        codes[late & (codes != _TEST)] = _VALID
    if rule.test.time_from is not None:
        codes[_from_time(table, schema, split, rule.test.time_from)] = _TEST
    return codes


def split_hashes(table: pa.Table, schema: Schema, split: SplitRows) -> NDArray[np.uint64]:
    """The hash of each row that decides shares, shape ``(n_rows,)``.

    Raises:
        ColumnError: A key or group is null.
    """
    for column in split.hashed:
        role = "key" if split.rule.group is None else "group"
        _refuse_nulls(table.column(column), column, role)
    hashes: NDArray[np.uint64] = hash_rows(table, schema, split.hashed, split.salt)[0]
    return hashes


def _shares(rule: SplitConfig) -> tuple[np.uint64, np.uint64]:
    """Hashes where the share of test ends, and where that of valid does.

    Exact integers: the next part begins where this one ends.
    """
    test = Fraction(rule.test.share or 0.0)
    valid = Fraction(rule.valid_share)
    first, second = (min(int(end * 2**64), 2**64 - 1) for end in (test, test + valid))
    return np.uint64(first), np.uint64(second)


def is_late(table: pa.Table, schema: Schema, split: SplitRows) -> NDArray[np.bool_] | None:
    """The rows that test because of their time; None where test is a share.

    Raises:
        ColumnError: A time is null, or `time_from` cannot be compared with it.
    """
    start = split.rule.test.time_from
    return None if start is None else _from_time(table, schema, split, start)


def _from_time(
    table: pa.Table, schema: Schema, split: SplitRows, start: float | str
) -> NDArray[np.bool_]:
    name = split.time or ""
    column = table.column(name)
    _refuse_nulls(column, name, "time")
    dtype = schema[name]
    wanted = _comparable(start, dtype, name)
    if isinstance(wanted, pa.Scalar):
        if dtype == "string":
            column = column.cast(pa.string())
        return np.asarray(pc.greater_equal(column, wanted).to_numpy(), dtype=np.bool_)
    if dtype == "integer":
        return to_integers(column) >= wanted
    return to_numbers(column) >= wanted


def _comparable(start: float | str | None, dtype: LogicalType, name: str) -> pa.Scalar | float:
    if dtype in {"integer", "float"} and isinstance(start, int | float):
        return start
    if isinstance(start, str) and dtype in {"string", "timestamp", "date"}:
        arrow_type = {"timestamp": pa.timestamp("us"), "date": pa.date32()}.get(dtype, pa.string())
        try:
            return pa.scalar(start).cast(arrow_type)
        except pa.ArrowInvalid:
            pass  # Told below, together with the other misfits.
    named = {"integer": "a number", "float": "a number", "string": "a text in quotes"}
    wanted = named.get(dtype, "an ISO date such as '2018-01-01'")
    raise ColumnError(
        "'time_from' cannot be compared with the time column",
        repr(start),
        f"{wanted}: the column is a {dtype}",
        where=Where(key=name),
    )


def _refuse_nulls(column: pa.ChunkedArray, name: str, role: str) -> None:
    what = f"the {role} column has rows without a value"
    refuse_nulls(column, name, what, "none: they decide the split")
