"""Arrays beside a JSON document in one byte string: what the pass hands on, compact and canonical.

Layout: ``MLRP``, the length of the document as 8 bytes, the canonical JSON document, and the arrays
behind one another. Equal content gives equal bytes; all numbers are little-endian.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

_MAGIC: Final = b"MLRP"
_LENGTH_BYTES: Final = 8


def pack(content: Any, arrays: Sequence[NDArray[Any]]) -> bytes:  # noqa: ANN401 - any JSON value
    """A JSON value and arrays of numbers as bytes."""
    little = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    listed = [[array.dtype.str, array.size] for array in little]
    document = canonical_bytes({"content": content, "arrays": listed})
    length = len(document).to_bytes(_LENGTH_BYTES, "little")
    return b"".join([_MAGIC, length, document, *(array.tobytes() for array in little)])


def unpack(data: bytes) -> tuple[Any, Iterator[NDArray[Any]]]:
    """What `pack` wrote: the value, and the arrays in their order, read-only.

    Raises:
        ManifestError: The bytes are something else.

    Example:
        >>> content, arrays = unpack(pack({"a": 1}, [np.arange(3)]))
        >>> content, next(arrays)
        ({'a': 1}, array([0, 1, 2]))
    """
    start = len(_MAGIC) + _LENGTH_BYTES
    if data[: len(_MAGIC)] != _MAGIC:
        raise ManifestError("not packed statistics", repr(data[:4]), repr(_MAGIC))
    end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    document = from_canonical(data[start:end])
    return document["content"], _arrays(document["arrays"], data, end)


def _arrays(listed: list[list[Any]], data: bytes, at: int) -> Iterator[NDArray[Any]]:
    for kind, size in listed:
        array = np.frombuffer(data, kind, size, at)
        yield array
        at += array.nbytes
