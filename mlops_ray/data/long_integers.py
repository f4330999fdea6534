"""Whole numbers of more than 64 bits in text files, which Arrow takes for floats.

As floats neighbours become one number: ids of 20 digits would be told apart no longer, and nothing
would show it. So a column that is written in whole numbers all along is not taken for floats where
one of them is beyond 64 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["long_integers"]

_FIRST_BEYOND: Final = 2.0**63
_WHOLE: Final = r"^[+-]?\d+$"


def long_integers(
    shown: pa.Table | pa.RecordBatch, as_text: Callable[[list[str]], pa.Table]
) -> list[str]:
    """Columns of floats that are written as whole numbers, some of them beyond 64 bits.

    Args:
        shown: What Arrow made of the text.
        as_text: The same rows of some columns as they are written.
    """
    names = [
        name
        for name, column in zip(shown.schema.names, shown.columns, strict=True)
        if pa.types.is_floating(column.type) and _is_beyond(column)
    ]
    if not names:
        return []
    texts = as_text(names)
    return [name for name in names if _is_whole(texts.column(name))]


def _is_beyond(column: pa.Array | pa.ChunkedArray) -> bool:
    largest = pc.max(pc.abs(column)).as_py()
    return largest is not None and largest >= _FIRST_BEYOND


def _is_whole(texts: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.match_substring_regex(pc.utf8_trim_whitespace(texts), _WHOLE)).as_py())
