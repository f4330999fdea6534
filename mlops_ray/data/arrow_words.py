"""What Arrow says of data that it cannot read, without the data.

A message goes to the screen, the log and the record of a failed run, and a value may be private.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["arrow_words"]

_QUOTED: Final = re.compile(r"(?<!\w)'.*", re.DOTALL)  # Not the apostrophe of a word.
_BEFORE_VALUE: Final = re.compile(
    r"((?:columns, got \d+|couldn't parse|Failed to parse value)):.*", re.DOTALL
)
_NUMBER: Final = re.compile(r"(\bvalue|\bdata:|\btimestamp:) [-+]?[\d.]\S*")
_PLACE: Final = re.compile(r"Row #\d+: | in row \d+")


def arrow_words(error: Exception, *, is_whole: bool = True) -> str:
    """The first line of an error's message, every cell's content left out.

    Args:
        error: Of Arrow.
        is_whole: Whether rows were counted from the start of the file; else their numbers are left
            out as well.

    Example:
        >>> import pyarrow as pa
        >>> arrow_words(pa.ArrowInvalid("Row #7: Expected 2 columns, got 3: Smith,41,0"))
        'Row #7: Expected 2 columns, got 3'
        >>> arrow_words(pa.ArrowInvalid("CSV conversion error to int64: invalid value 'Smith'"))
        'CSV conversion error to int64: invalid value'
    """
    text = _QUOTED.sub(_kept_end, str(error))
    text = _NUMBER.sub(r"\1", _BEFORE_VALUE.sub(r"\1", text))
    if not is_whole:
        text = _PLACE.sub("", text)
    return (text.splitlines() or [type(error).__name__])[0].rstrip(" :")


def _kept_end(quoted: re.Match[str]) -> str:
    """What follows the last quote, which ends the value whatever quotes that has."""
    return quoted[0].rpartition("'")[2].removeprefix(" ") if quoted[0].count("'") > 1 else ""
