"""Fingerprints: what a table says, independent of file cuts, format and widths.

The hash lanes of all rows are added modulo 2^64. Addition is commutative and associative, so any
grouping gives the same sum; unlike XOR it sees a row that stands twice. Count and schema are bound
into the digest. Where the order of rows matters, the lanes are the digits of a number instead,
which is associative alone: parts add up as long as they are added in their order.

Source: R. M. Karp, M. O. Rabin, "Efficient randomized pattern-matching algorithms", IBM J. Res.
Dev. 31, 1987 (a polynomial of the items); the bases are multipliers of G. L. Steele, S. Vigna,
"Computationally easy, spectrally good multipliers for congruential pseudorandom number generators",
Software: Practice and Experience 52, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.rowhash import N_LANES
from mlops_ray.manifest.canonical import digest_json
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_ray.data.schema import Schema

__all__ = ["RowSequence", "RowTally", "digest_ordered"]

_MODULUS: Final = 2**64
# A lane each; odd, and 5 modulo 8, so that their powers repeat only after 2^62 rows.
_BASES: Final = (0xD1342543DE82EF95, 0x5851F42D4C957F2D)


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


@dataclass(frozen=True, slots=True)
class RowSequence:
    """Rows in their order, as far as an ordered fingerprint sees it; parts add up in order.

    Attributes:
        n_rows: Rows counted.
        lanes: For each lane the row hashes as digits of a number, modulo 2^64.
    """

    n_rows: int = 0
    lanes: tuple[int, ...] = (0,) * N_LANES

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], order: NDArray[np.intp] | None = None) -> Self:
        """The sequence of rows.

        Args:
            hashes: From `data.rowhash.hash_rows`, shape ``(2, n_rows)``.
            order: The row of the sequence that each hash belongs to; by default its own place.
        """
        n_rows = hashes.shape[1]
        lanes = []
        for lane, base in zip(hashes, _BASES, strict=True):
            weights = _falling_powers(base, n_rows)
            placed = weights if order is None else weights.take(order)
            lanes.append(int(np.multiply(lane, placed).sum(dtype=np.uint64)))
        return cls(n_rows, tuple(lanes))

    def __add__(self, other: RowSequence) -> RowSequence:
        """The other's rows behind these."""
        lanes = (
            (first * pow(base, other.n_rows, _MODULUS) + second) % _MODULUS
            for first, second, base in zip(self.lanes, other.lanes, _BASES, strict=True)
        )
        return RowSequence(self.n_rows + other.n_rows, tuple(lanes))

    def fingerprint(self, schema: Schema) -> str:
        """The digest of these rows in this order under their schema, ``sha256:<64 hex>``."""
        return digest_json(
            {
                "schema": "mlops-ray/ordered-fingerprint/v1",
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


@lru_cache(maxsize=2 * N_LANES)  # Most units of an input have one size.
def _falling_powers(base: int, n_rows: int) -> NDArray[np.uint64]:
    """The powers of a base modulo 2^64, the highest first."""
    powers = np.full(n_rows, base, dtype=np.uint64)
    powers[:1] = 1
    return np.multiply.accumulate(powers)[::-1].copy()  # Wraps around.


def digest_ordered(hashes: NDArray[np.uint64]) -> str:
    """Digest of rows in the order given: another order or another row is another digest.

    Args:
        hashes: From `data.rowhash.hash_rows`, shape ``(2, n_rows)``.
    """
    return digest(hashes.T.astype("<u8", order="C").tobytes())
