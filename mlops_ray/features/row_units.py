"""Which rows of a matrix belong together, or which come first: what folds are dealt by.

A unit is a number a row, a salted hash of its key or group, or the rank of its time. It depends on
the row's own values and, for a rank, on the other rows of its part; never on order or layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.complete_column import refuse_nulls
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.strata import plain_column
from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema

__all__ = [
    "UNITS_SCHEMA",
    "RowUnits",
    "unit_column",
    "unit_numbers",
    "units_from_bytes",
    "units_to_bytes",
]

UNITS_SCHEMA: Final = "mlops-ray/units/v1"
_HEADER: Final = canonical_bytes({"schema": UNITS_SCHEMA, "dtype": "<u8"}) + b"\n"


@dataclass(frozen=True, slots=True)
class RowUnits:
    """What tells units.

    Attributes:
        columns: The key, the group, or the time.
        salt: Derived from the root seed; of no use to a time.
        is_time: Whether units are ranks of times instead of hashes.
    """

    columns: tuple[str, ...]
    salt: int = 0
    is_time: bool = False


def unit_column(table: pa.Table, schema: Schema, units: RowUnits) -> Any:  # noqa: ANN401 - an array
    """The units of some rows as a column; those of times are still the times.

    Raises:
        ColumnError: A key, group or time is null.
    """
    for name in units.columns:
        what = f"{name!r} deals the folds and has rows without a value"
        refuse_nulls(table.column(name), name, what, "none")
    if units.is_time:
        return plain_column(table.column(units.columns[0]))
    return hash_rows(table, schema, units.columns, units.salt)[0]


def unit_numbers(column: pa.ChunkedArray, units: RowUnits) -> NDArray[np.uint64]:
    """The units of all rows of a part, shape ``(n_rows,)``; equal times have equal ranks."""
    if units.is_time:
        column = pc.rank(column.combine_chunks(), tiebreaker="dense")
    numbers: NDArray[np.uint64] = np.asarray(column.to_numpy(), dtype=np.uint64)
    return numbers


def units_to_bytes(units: NDArray[np.uint64]) -> bytes:
    """Units as bytes: a line of JSON, then the numbers, little-endian."""
    return _HEADER + units.astype("<u8").tobytes()


def units_from_bytes(data: bytes) -> NDArray[np.uint64]:
    """What `units_to_bytes` wrote.

    Raises:
        ManifestError: The bytes are something else.
    """
    header, _, numbers = data.partition(b"\n")
    content = from_canonical(header)
    if not isinstance(content, dict) or content.get("schema") != UNITS_SCHEMA:
        raise ManifestError("not units this version can read", wanted=UNITS_SCHEMA)
    return np.frombuffer(numbers, dtype="<u8")
