"""Where the parts of a stratified split end in each class, found in a pass over key and target.

A row's part is decided by the salted hash of its key, as in any split by shares; only the bounds
are those of its class. They are hashes below which the wanted share of the class' rows lies, so the
split does not depend on the order, the files or the number of CPUs, but a row may change its part
when others are added. The rows of each class are counted in 2^14 buckets of equal width by their
hash, and a part ends at the bound of a bucket: the share of a class is met within half of the
largest of its buckets, which is a row or two up to 16,384 rows of the class, and about 1 in 20,000
of many.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mlops_ray.data.contract_pass import read_kept
from mlops_ray.data.packed import pack, unpack
from mlops_ray.data.split import is_late, split_hashes
from mlops_ray.data.strata import Strata, plain_column
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.split import SplitRows
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["find_strata"]

_BUCKET_BITS: Final = 14
_WIDTH_BITS: Final = 64 - _BUCKET_BITS
_MAX_CLASSES: Final = 256
_READ: Final[dict[str, Callable[[str], Any]]] = {
    "int": int,
    "str": str,
    "bool": "True".__eq__,
    "NoneType": lambda _: None,
}


def find_strata(
    schema: Schema,
    split: SplitRows,
    check: CheckPlan | None,
    units: Sequence[Unit],
    unit_map: UnitMap,
) -> Strata:
    """Read key, time and target once and find where the parts of each class end.

    Args:
        schema: Of the data.
        split: A stratified one.
        check: The contract, whose rules may set rows aside.
        units: All of the input.
        unit_map: Runs the work.

    Raises:
        ColumnError: The target has more than 256 values, or a key or time is null.
    """
    target, dtype = split.target or "", schema[split.target or ""]
    answers = unit_map(partial(_count_unit, schema, split, check), units, _combine)
    counted = _read(_combine(answers)) if answers else {}
    if len(counted) > _MAX_CLASSES:
        hint = "leave out 'split.stratify'"
        got, wanted = f"{len(counted)} and more values", f"at most {_MAX_CLASSES}"
        raise ColumnError("too many classes to stratify", got, wanted, hint, Where(key=target))
    ordered = sorted(counted, key=lambda value: (value is None, value if value is not None else 0))
    test, valid = Fraction(split.rule.test.share or 0.0), Fraction(split.rule.valid_share)
    ends = tuple(
        (_end(counted[value], test), _end(counted[value], test + valid)) for value in ordered
    )
    return Strata(dtype, tuple(ordered), ends)


def _end(counts: NDArray[np.int64], share: Fraction) -> int:
    """The bound of a bucket with the number of rows below it nearest to the share."""
    below = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    bucket = int(np.argmin(np.abs(below - float(share) * float(below[-1]))))
    return min(bucket << _WIDTH_BITS, 2**64 - 1)


def _count_unit(schema: Schema, split: SplitRows, check: CheckPlan | None, unit: Unit) -> bytes:
    """The unit's rows that shares are drawn from, by class and bucket."""
    table = read_kept(unit, schema, split.columns, check)
    late = is_late(table, schema, split)
    if late is not None:
        table = table.filter(pa.array(~late))
    buckets = (split_hashes(table, schema, split) >> np.uint64(_WIDTH_BITS)).astype(np.intp)
    encoded = plain_column(table.column(split.target or "")).combine_chunks()
    encoded = encoded.dictionary_encode(null_encoding="encode")
    codes, values = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    rows = [buckets[codes == code] for code in range(min(len(values), _MAX_CLASSES + 1))]
    counts = [np.bincount(own, minlength=2**_BUCKET_BITS).astype(np.int64) for own in rows]
    return _written(dict(zip(values, counts, strict=False)))


def _combine(answers: Sequence[bytes]) -> bytes:
    """Counts of several units as those of one; more classes than can be used are not all kept."""
    total: dict[Any, NDArray[np.int64]] = {}
    for counted in map(_read, answers):
        for value, counts in counted.items():
            if value in total:
                total[value] = total[value] + counts
            elif len(total) <= _MAX_CLASSES:
                total[value] = counts
    return _written(total)


def _written(counted: dict[Any, NDArray[np.int64]]) -> bytes:
    values = list(counted)
    arrays: list[NDArray[Any]] = []
    for counts in counted.values():
        filled = np.flatnonzero(counts)
        arrays += [filled.astype(np.int32), counts[filled]]
    # As text: canonical JSON cannot hold large integers.
    kinds = [type(value).__name__ for value in values]
    return pack([[kind, str(value)] for kind, value in zip(kinds, values, strict=True)], arrays)


def _read(answer: bytes) -> dict[Any, NDArray[np.int64]]:
    content, arrays = unpack(answer)
    counted: dict[Any, NDArray[np.int64]] = {}
    for kind, text in content:
        counts = np.zeros(2**_BUCKET_BITS, dtype=np.int64)
        filled = next(arrays)
        counts[filled] = next(arrays)
        counted[_READ[kind](text)] = counts
    return counted
