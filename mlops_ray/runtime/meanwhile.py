"""Importing modules while something else is waited for, such as the start of Ray."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["imported_meanwhile"]


@contextmanager
def imported_meanwhile(modules: Sequence[str]) -> Iterator[None]:
    """Import modules in a thread while the block lasts; they are there when it has ended.

    What a module raises when it is imported is left to who needs it.

    Example:
        >>> import sys
        >>> with imported_meanwhile(["colorsys"]):
        ...     pass
        >>> "colorsys" in sys.modules
        True
    """
    with ThreadPoolExecutor(1, "imports") as pool:
        for module in modules:
            pool.submit(import_module, module)
        yield
