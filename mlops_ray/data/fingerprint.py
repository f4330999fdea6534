"""Fingerprints: what a table says, independent of row order, file cuts, format and widths.

The hash lanes of all rows are added modulo 2^64. Addition is commutative and associative, so any
grouping gives the same sum; unlike XOR it sees a row that stands twice. Count and schema are bound
into the digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.rowhash import N_LANES
from mlops_ray.manifest.canonical import digest_json
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema

__all__ = ["RowTally", "digest_ordered"]

_MODULUS: Final = 2**64


@dataclass(frozen=True, slots=True)
class RowTally:
    """A multiset of rows, as far as a fingerprint sees it; tallies of parts add up.

    Attributes:
        n_rows: Rows counted.
        lanes: Sums of the rows' hash lanes modulo 2^64.
    """

    n_rows: int = 0
    lanes: tuple[int, ...] = (0,) * N_LANES

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> Self:
        """Tally of rows.

        Args:
            hashes: From `data.rowhash.hash_rows`, shape ``(2, n_rows)``.
        """
        sums = hashes.sum(axis=1, dtype=np.uint64)  # Wraps around: modulo 2^64.
        return cls(hashes.shape[1], tuple(int(total) for total in sums))

    def __add__(self, other: RowTally) -> RowTally:
        """Tally of both parts together."""
        lanes = zip(self.lanes, other.lanes, strict=True)
        return RowTally(self.n_rows + other.n_rows, tuple((a + b) % _MODULUS for a, b in lanes))

    def fingerprint(self, schema: Schema) -> str:
        """The digest of these rows under their schema, ``sha256:<64 hex>``.

        Example:
            >>> RowTally().fingerprint({"x": "float"})[:12]
            'sha256:fc6c3'
        """
        return digest_json(
            {
                "schema": "mlops-ray/fingerprint/v1",
                "columns": sorted(schema.items()),
                **self.to_json(),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for `from_json`."""
        return {"n_rows": self.n_rows, "lanes": [f"{lane:016x}" for lane in self.lanes]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(value["n_rows"], tuple(int(lane, 16) for lane in value["lanes"]))


def digest_ordered(hashes: NDArray[np.uint64]) -> str:
    """Digest of rows in the order given: another order or another row is another digest.

    Args:
        hashes: From `data.rowhash.hash_rows`, shape ``(2, n_rows)``.
    """
    return digest(hashes.T.astype("<u8", order="C").tobytes())
