"""What an exception that nobody foresaw may say in a record, a log or on the screen.

Its words are a library's, which likes to quote the value that it stumbled over, and a value may be
private. So nothing quoted is told, and no number behind such a word; where it happened is.
"""

from __future__ import annotations

import re
import traceback
from typing import Final

__all__ = ["foreign_traceback", "foreign_words"]

# Greedy: a value may hold quotes itself. Not the apostrophe of a word.
_QUOTED: Final = re.compile(r"""(?<!\w)(['"]).*(?:\1|$)""")
_NUMBER: Final = re.compile(r"(\b(?:value|data|timestamp|got|parse):?) [-+]?\d\S*", re.IGNORECASE)


def foreign_words(error: BaseException) -> str:
    """The kind of an exception and the first line of its message, without any value.

    Example:
        >>> foreign_words(ValueError("could not convert string to float: 'Smith'"))
        'ValueError: could not convert string to float: ...'
    """
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {_without_values(lines[0]) if lines else ''}".rstrip(": ")


def foreign_traceback(error: BaseException) -> str:
    """Where an exception arose, and what led to it, without any value."""
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    return "\n".join(line if line.startswith(" ") else _without_values(line) for line in lines)


def _without_values(line: str) -> str:
    return _NUMBER.sub(r"\1 ...", _QUOTED.sub("...", line))
