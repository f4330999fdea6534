"""Two 64-bit words a string, for all distinct strings of a column at once.

Strings of up to 64 bytes are mixed eight bytes at a time, with numpy over all of them; longer ones
go through BLAKE2b one by one. `docs/fingerprint.md` has the definition with test vectors.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from mlops_ray.data.mixing import NULL_WORD, finished, step

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["hash_texts"]

_DOMAIN: Final = b"mlops-ray/rowhash/v2/string"
_LONGEST_MIXED: Final = 64  # Bytes.
_WORD_BYTES: Final = 8
_PIECE_TEXTS: Final = 2**13  # Their states stay in the processor's cache.
_STARTS: Final = np.frombuffer(blake2b(_DOMAIN, digest_size=16).digest(), "<u8")


def hash_texts(values: pa.Array) -> NDArray[np.uint64]:
    """Words of strings or bytes, and in one more column those of null.

    Args:
        values: Strings or binaries with offsets of 32 bits; nulls are not looked for.

    Returns:
        Shape ``(2, n_values + 1)``.
    """
    data, starts, lengths = _bytes_of(values)
    words = np.full((len(_STARTS), len(values) + 1), NULL_WORD, dtype=np.uint64)
    is_long = lengths > _LONGEST_MIXED
    if is_long.any():
        short, long = np.flatnonzero(~is_long), np.flatnonzero(is_long)
        words[:, short] = _mixed(data, starts[short], lengths[short])
        words[:, long] = _digested(data, starts[long], lengths[long])
    else:
        words[:, :-1] = _mixed(data, starts, lengths)
    return words


def _bytes_of(
    values: pa.Array,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """All bytes, padded so that a word can be read at the last, and where each string lies."""
    _, offsets, data = values.buffers()
    n_values = len(values)
    if not n_values:
        empty = np.zeros(0, dtype=np.int64)
        return np.zeros(_WORD_BYTES, dtype=np.uint8), empty, empty
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + n_values + 1]
    first, last = int(ends[0]), int(ends[-1])
    padded = np.zeros(last - first + _WORD_BYTES, dtype=np.uint8)
    if last > first:
        padded[: last - first] = np.frombuffer(data, np.uint8)[first:last]
    starts = ends[:-1].astype(np.int64) - first
    return padded, starts, np.diff(ends).astype(np.int64)


def _mixed(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    states = np.empty((len(_STARTS), starts.size), dtype=np.uint64)
    at_any_byte = np.lib.stride_tricks.as_strided(
        data[:_WORD_BYTES].view("<u8"), (data.size - _WORD_BYTES + 1,), (1,), writeable=False
    )
    for first in range(0, starts.size, _PIECE_TEXTS):
        piece = slice(first, first + _PIECE_TEXTS)
        states[:, piece] = _mixed_piece(at_any_byte, starts[piece], lengths[piece])
    return states


def _mixed_piece(
    at_any_byte: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    states = _STARTS[:, np.newaxis] + lengths.astype(np.uint64)  # Wraps around: modulo 2^64.
    n_common = int(lengths.min()) // _WORD_BYTES * _WORD_BYTES
    for done in range(0, n_common, _WORD_BYTES):  # Whole words that all of them have.
        step(states, at_any_byte[starts + done])
    for done in range(n_common, int(lengths.max()), _WORD_BYTES):
        active = np.flatnonzero(lengths > done)
        left = np.minimum(lengths[active] - done, _WORD_BYTES).astype(np.uint64)
        words = at_any_byte[starts[active] + done]
        words &= np.uint64(2**64 - 1) >> (np.uint64(64) - left * np.uint64(_WORD_BYTES))
        if active.size == lengths.size:
            step(states, words)
        else:
            mixed = states[:, active]
            step(mixed, words)
            states[:, active] = mixed
    return finished(states)


def _digested(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    pairs = zip(starts.tolist(), lengths.tolist(), strict=True)
    digests = b"".join(
        blake2b(data[start : start + length].data, digest_size=16).digest()
        for start, length in pairs
    )
    return np.frombuffer(digests, "<u8").reshape(-1, len(_STARTS)).T
