"""Functions that compute nothing where other code of the project is loaded than was recorded.

A worker of a session that the user has started imports what lies in the project, and keeps what it
has imported while the project is edited. So what is sent there carries the recorded sources along,
and compares them with what the worker has loaded before it does anything.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_ray.errors import ModelError
from mlops_ray.runtime.recorded_code import own_sources, refuse_other

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["CodeGuard", "guard_of", "guarded"]

T = TypeVar("T")


class CodeGuard:
    """Compares once wherever it arrives, and again after it has travelled.

    Attributes:
        functions: Names of what the code is needed for, as ``module:function``.
        sources: Recorded source by dotted name.
    """

    def __init__(self, functions: tuple[str, ...], sources: Mapping[str, bytes]) -> None:
        self.functions = functions
        self.sources = sources
        self._is_checked = False

    def __reduce__(self) -> tuple[type[CodeGuard], tuple[tuple[str, ...], Mapping[str, bytes]]]:
        """Without the outcome, which is this process's."""
        return type(self), (self.functions, self.sources)

    def check(self) -> None:
        """Compare, unless that is done.

        Raises:
            ModelError: This process cannot import a function, or has loaded other code.
        """
        if self._is_checked:
            return
        named = ", ".join(repr(name) for name in self.functions)
        try:
            for name in self.functions:
                import_module(name.partition(":")[0])
            refuse_other(self.sources)
        except ImportError as error:
            hint = "start Ray where the project can be imported, or let the run start its own"
            raise ModelError(f"a worker needs {named}", str(error), hint=hint) from error
        except ModelError as error:
            what = f"{error.what}, of which this run needs {named}"
            raise ModelError(what, error.got, error.wanted, error.hint) from None
        self._is_checked = True


def guard_of(functions: Iterable[str], files: Mapping[str, bytes]) -> CodeGuard | None:
    """A guard of what some functions or classes of the project consist of; None for none of them.

    Args:
        functions: As ``module:function``.
        files: Recorded code, content by path.

    Raises:
        ManifestError: The code holds no such module.
    """
    names = tuple(sorted(set(functions)))
    if not names:
        return None
    return CodeGuard(names, own_sources(files, [name.partition(":")[0] for name in names]))


def guarded(
    fn: Callable[..., T], functions: Iterable[str], files: Mapping[str, bytes]
) -> Callable[..., T]:
    """A function that first compares the code that some functions of the project consist of.

    Args:
        fn: What to call.
        functions: As ``module:function``; where there are none, `fn` is handed back.
        files: Recorded code, content by path.

    Raises:
        ManifestError: The code holds no such module.
    """
    guard = guard_of(functions, files)
    return fn if guard is None else partial(_checked, guard, fn)


def _checked(guard: CodeGuard, fn: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - any
    guard.check()
    return fn(*arguments)
