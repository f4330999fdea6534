"""Two 64-bit hash lanes a row, computed column by column with numpy.

A cell's hash depends on its column's name, logical type and value alone: not on the file, the
width of the stored type, the column order or the rows around it. Equal values are equal (-0.0 and
0.0, all NaNs), null differs from every value. The mixing is fast, not cryptographic: it tells
accidents apart, while the input files themselves are pinned by SHA-256.

Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014
(the finaliser of SplitMix64); strings go through BLAKE2b (RFC 7693).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from mlops_ray.data.arrays import null_mask, to_codes, to_integers, to_numbers, to_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mlops_ray.data.schema import LogicalType, Schema

__all__ = ["N_LANES", "hash_rows"]

N_LANES: Final = 2
_DOMAIN: Final = b"mlops-ray/rowhash/v1"
_MULTIPLIERS: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_NAN_BITS: Final = np.uint64(0x7FF8000000000000)


def hash_rows(
    table: pa.Table, schema: Schema, columns: Sequence[str], salt: int = 0
) -> NDArray[np.uint64]:
    """Hashes of a table's rows over the named columns.

    Args:
        table: Holds the columns in canonical types.
        schema: Logical types of the columns.
        columns: What is hashed; their order does not matter.
        salt: Non-negative, below 2^64; another salt gives unrelated hashes.

    Returns:
        Shape ``(2, n_rows)``.
    """
    rows = np.empty((N_LANES, table.num_rows), dtype=np.uint64)
    rows[:] = _words(salt, "", "row")[:, np.newaxis]
    for column in sorted(columns):
        rows += _hash_cells(table.column(column), column, schema[column], salt)
        for lane in rows:
            _mix(lane)
    return rows


def _hash_cells(
    column: pa.ChunkedArray, name: str, dtype: LogicalType, salt: int
) -> NDArray[np.uint64]:
    """Shape ``(2, n_rows)``; a string is hashed once for each distinct value."""
    keys = _words(salt, name, dtype)
    if dtype == "string":
        codes, values = to_codes(column, name)
        cells = np.concatenate([_hash_strings(values), np.zeros((N_LANES, 1), np.uint64)], axis=1)
        nulls: NDArray[np.bool_] = np.zeros(len(values) + 1, dtype=np.bool_)
        nulls[-1] = True
        return _keyed(cells, nulls, keys, salt)[:, codes]  # -1 takes the last one: null.
    cells = np.broadcast_to(_bits(column, dtype), (N_LANES, len(column))).copy()
    return _keyed(cells, null_mask(column), keys, salt)


def _keyed(
    cells: NDArray[np.uint64], nulls: NDArray[np.bool_], keys: NDArray[np.uint64], salt: int
) -> NDArray[np.uint64]:
    cells ^= keys[:, np.newaxis]
    for lane in cells:
        _mix(lane)
    if nulls.any():
        cells[:, nulls] = (keys ^ _words(salt, "", "null"))[:, np.newaxis]
    return cells


def _bits(column: pa.ChunkedArray, dtype: LogicalType) -> NDArray[np.uint64]:
    if dtype == "float":
        values = to_numbers(column)
        bits = values.view(np.uint64)
        bits[np.isnan(values)] = _NAN_BITS
        return bits
    ticks = to_ticks(column) if dtype in {"timestamp", "date"} else to_integers(column)
    return ticks.view(np.uint64)


def _hash_strings(values: list[str]) -> NDArray[np.uint64]:
    digests = b"".join(blake2b(value.encode(), digest_size=16).digest() for value in values)
    return np.frombuffer(digests, dtype="<u8").reshape(-1, N_LANES).T.astype(np.uint64)


def _words(salt: int, name: str, dtype: str) -> NDArray[np.uint64]:
    """One key word a lane."""
    text = b"\0".join([_DOMAIN, dtype.encode(), name.encode()])
    key = salt.to_bytes(8, "little")
    digest = blake2b(text, digest_size=8 * N_LANES, key=key).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def _mix(words: NDArray[np.uint64]) -> None:
    """SplitMix64's finaliser, in place: a bijection in which every bit depends on every bit."""
    for shift, multiplier in _MULTIPLIERS:
        words ^= words >> np.uint64(shift)
        words *= np.uint64(multiplier)
    words ^= words >> np.uint64(31)
