"""hashing: indicators of a fixed number of buckets, whatever the categories are.

Source: A. Appleby, MurmurHash3 (x86, 32 bits), public domain; used as by
``sklearn.feature_extraction.FeatureHasher``: the sign of the hash is that of the weight.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from mlops_ray.features.steps.step import CategoryStep, Fitted, Kind, Odd, Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_ray.data.counts import Value
    from mlops_ray.features.statistics import Categories, TargetSums
    from mlops_ray.features.steps.step import Code

__all__ = ["Hashing", "murmur3_32"]

_MASK: Final = 0xFFFFFFFF
_C1: Final = 0xCC9E2D51
_C2: Final = 0x1B873593


class Hashing(CategoryStep):
    """Any category becomes one of a fixed number of buckets; nothing is unseen.

    Attributes:
        n_buckets: How many.
        signed: Whether a bucket holds -1 for half of the categories, so that collisions cancel.
        null: Whether null is all zero or an error.
    """

    short: ClassVar[str] = "n_buckets"
    result: ClassVar[Kind] = "indicator"
    needs_counts: ClassVar[bool] = False
    policies: ClassVar[Policies] = Policies(
        null="all `zero` or an `error`", unseen="hashed like any other", empty="allowed"
    )

    step: Literal["hashing"] = "hashing"
    n_buckets: int = Field(ge=2, le=100_000)
    signed: bool = True
    null: Literal["zero", "error"] = "zero"

    def fit_categories(self, found: Categories, target: TargetSums | None) -> Fitted:  # noqa: ARG002
        """Nothing to fit."""
        return {"n_buckets": self.n_buckets, "signed": self.signed, "null": self.null}

    @classmethod
    def names(cls, name: str, fitted: Fitted) -> list[str]:
        """``column#bucket`` each."""
        return [f"{name}#{at}" for at in range(fitted["n_buckets"])]

    @classmethod
    def known(cls, fitted: Fitted) -> list[Value] | None:  # noqa: ARG003
        """None: any value has a bucket."""
        return None

    @classmethod
    def encoder(cls, fitted: Fitted, fold: int | None) -> Callable[[Code], Any]:  # noqa: ARG003
        """Bucket and weight."""
        n, signed = fitted["n_buckets"], fitted["signed"]
        null = Odd.REFUSED if fitted["null"] == "error" else None

        def encode(value: Code) -> Any:  # noqa: ANN401 - see `CategoryStep.encoder`
            return null if value is None else _bucket(str(value), n, signed=signed)

        return encode


@lru_cache(maxsize=65_536)
def _bucket(text: str, n_buckets: int, *, signed: bool) -> tuple[int, float]:
    # JSON can hold half of a surrogate pair, which is hashed like any other text.
    found = murmur3_32(text.encode(errors="surrogatepass"))
    found -= (found >> 31) << 32  # As a signed number.
    return abs(found) % n_buckets, -1.0 if signed and found < 0 else 1.0


def murmur3_32(data: bytes) -> int:
    """MurmurHash3 of bytes with seed 0.

    Example:
        >>> f"{murmur3_32(b'hello'):08x}"
        '248bfa47'
    """
    state, whole = 0, len(data) & ~3
    for at in range(0, whole, 4):
        state ^= _scrambled(int.from_bytes(data[at : at + 4], "little"))
        state = (state << 13 | state >> 19) & _MASK
        state = (state * 5 + 0xE6546B64) & _MASK
    state ^= _scrambled(int.from_bytes(data[whole:], "little")) ^ len(data)
    for shift, multiplier in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state ^= state >> shift
        state = state * multiplier & _MASK
    return state ^ state >> 16


def _scrambled(word: int) -> int:
    word = word * _C1 & _MASK
    return (word << 15 | word >> 17) * _C2 & _MASK
