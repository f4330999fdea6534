"""Words for the hash of cells of any type: nested ones, bytes, decimals, times and durations.

What a cell means counts, not how it is stored: neither widths, scales and units nor the offsets of
a list, a dictionary inside of it or the order of a struct's members. `docs/fingerprint.md` has the
definition with test vectors.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.arrays import fixed_values, null_mask
from mlops_ray.data.decimals import decimal_words
from mlops_ray.data.mixing import NAN_WORD, NULL_WORD, finished, step
from mlops_ray.data.text_hash import hash_texts
from mlops_ray.data.type_names import is_binary, is_list, is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["carried_words"]

Words: TypeAlias = "NDArray[np.uint64]"


def _start(name: str) -> Words:
    digest = blake2b(b"mlops-ray/rowhash/v2/" + name.encode(), digest_size=16).digest()
    return np.frombuffer(digest, "<u8")[:, np.newaxis]


_ITEM: Final = _start("item")
_LIST: Final = _start("list")
_STRUCT: Final = _start("struct")
_NANOSECONDS: Final = _start("nanoseconds")
_MICROSECONDS: Final = {"s": 10**6, "ms": 10**3, "us": 1}


def carried_words(column: pa.Array) -> Words:
    """Words of a column's cells, shape ``(2, n_values)``.

    Raises:
        pyarrow.ArrowInvalid: A text is not UTF-8, or a time is too long to be counted.
        TypeError: The type has no values that could be told apart, such as a union.
    """
    found = _words_of_values(column)
    if column.null_count and not pa.types.is_null(column.type):
        found[:, null_mask(column)] = NULL_WORD
    return found


def _words_of_values(column: pa.Array) -> Words:
    """The same, with anything where a value is null."""
    for matches, words_of in _KINDS:
        if matches(column.type):
            return words_of(column)
    return _twice(_fixed_words(column))


def _twice(words: Words) -> Words:
    return np.stack([words, words])


def _fixed_words(column: pa.Array) -> Words:
    if pa.types.is_floating(column.type):
        values = fixed_values(column, "float") + 0.0  # -0.0 + 0.0 is 0.0; all else stays.
        return np.where(np.isnan(values), NAN_WORD, values.view(np.uint64))
    if pa.types.is_boolean(column.type):
        return fixed_values(column, "boolean").view(np.uint64)
    if pa.types.is_date(column.type):
        return fixed_values(column, "date").view(np.uint64)
    if pa.types.is_time(column.type):
        column = column.cast(pa.time64("ns")).cast(pa.int64())
    if not pa.types.is_integer(column.type):
        raise TypeError(f"no words for values of type {column.type}")
    filled = column.fill_null(0) if column.null_count else column
    stored: NDArray[Any] = filled.to_numpy(zero_copy_only=False)
    return stored.astype(np.int64).view(np.uint64)


def _words_of_ticks(column: pa.Array) -> Words:
    ticks, unit = column.view(pa.int64()), column.type.unit
    if unit != "ns":
        ticks = pc.multiply_checked(ticks, _MICROSECONDS[unit])
        return _twice(fixed_values(ticks, "integer").view(np.uint64))
    whole, rest = np.divmod(fixed_values(ticks, "integer"), 1000)
    words = _twice(whole.view(np.uint64))
    left = np.flatnonzero(rest)
    states = np.repeat(_NANOSECONDS, left.size, axis=1)
    step(states, words[:, left])
    step(states, rest[left].view(np.uint64))
    words[:, left] = finished(states)
    return words


def _words_of_texts(column: pa.Array) -> Words:
    plain = column.cast(pa.string() if is_text(column.type) else pa.binary())
    plain.validate(full=True)
    encoded = plain.fill_null("" if is_text(column.type) else b"").dictionary_encode()
    return hash_texts(encoded.dictionary)[:, encoded.indices.to_numpy()]


def _words_of_lists(column: pa.Array) -> Words:
    """Items are summed behind a finaliser each, so that lists of any lengths cost the same."""
    items = carried_words(column.flatten())
    lengths = fixed_values(pc.fill_null(pc.list_value_length(column), 0), "integer")
    ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    positions = np.arange(items.shape[1]) - np.repeat(ends[:-1], lengths)
    states = np.repeat(_ITEM, items.shape[1], axis=1)
    step(states, positions.view(np.uint64))
    step(states, items)
    sums = np.zeros((2, items.shape[1] + 1), dtype=np.uint64)
    np.cumsum(finished(states), axis=1, out=sums[:, 1:])  # Wraps around: modulo 2^64.
    states = _LIST + lengths.view(np.uint64)
    step(states, sums[:, ends[1:]] - sums[:, ends[:-1]])
    return finished(states)


def _words_of_structs(column: pa.StructArray) -> Words:
    states = np.repeat(_STRUCT, len(column), axis=1)
    members = dict(zip(column.type.names, column.flatten(), strict=True))
    for name in sorted(members):
        step(states, carried_words(members[name]))
    return finished(states)


def _words_of_maps(column: pa.MapArray) -> Words:
    """As lists of structs of a key and a value, in their order."""
    pair = pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])
    return _words_of_lists(column.cast(pa.list_(pair)))


def _words_of_nulls(column: pa.Array) -> Words:
    return np.full((2, len(column)), NULL_WORD)


def _words_of_encoded(column: pa.DictionaryArray) -> Words:
    return carried_words(column.cast(column.type.value_type))


# In this order: decimals are bytes of one length, and maps lists, to some of Arrow's questions.
_KINDS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Words]], ...]] = (
    (pa.types.is_null, _words_of_nulls),
    (pa.types.is_dictionary, _words_of_encoded),
    (pa.types.is_decimal, decimal_words),
    (lambda kind: is_text(kind) or is_binary(kind), _words_of_texts),
    (pa.types.is_map, _words_of_maps),
    (is_list, _words_of_lists),
    (pa.types.is_struct, _words_of_structs),
    (pa.types.is_timestamp, _words_of_ticks),
    (pa.types.is_duration, _words_of_ticks),
)
