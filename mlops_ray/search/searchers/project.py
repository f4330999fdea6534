"""A searcher of the project's own, of the captured code."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.errors import MlopsRayError, SearchError
from mlops_ray.search.trial import failure_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlops_ray.config.search_space import Dimension
    from mlops_ray.search.agenda import Searcher
    from mlops_ray.search.trial import TrialRecord

__all__ = ["ProjectSearcher"]


class ProjectSearcher:
    """Calls a class that follows `search.agenda.Searcher`, and holds it to its promise.

    It is made as ``Class(space, seed=..., mode=...)``; its trials may depend on these and on what
    it is told, and on nothing else.

    Args:
        name: ``module:Class``.
        space: Dimensions by parameter name.
        seed: Seed of the search.
        mode: The direction that is better, ``max`` or ``min``.

    Raises:
        SearchError: There is no such class, or it fails.
    """

    def __init__(
        self, name: str, space: Mapping[str, Dimension], seed: int, mode: Literal["max", "min"]
    ) -> None:
        module, _, attribute = name.partition(":")
        try:
            make = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise SearchError(f"there is no searcher {name!r}", str(error)) from error
        self._name = name
        with self._blamed():
            self._searcher: Searcher = make(space, seed=seed, mode=mode)

    @property
    def learns(self) -> bool:
        """What the class says of itself."""
        return bool(self._searcher.learns)

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """Its trials, sorted by name in each.

        Raises:
            SearchError: They are too few, too many, or no parameters of plain values; or it fails.
        """
        with self._blamed():
            drawn: Any = self._searcher.ask(first, n)
        if not isinstance(drawn, list) or len(drawn) != n or not all(map(_is_params, drawn)):
            raise SearchError(
                f"the searcher {self._name!r} did not give what it was asked for",
                _in_words(drawn),
                f"a list of {n} dicts of parameters: texts, numbers, booleans or None of Python",
                "numpy's numbers become Python's by `.item()`",
            )
        return [{name: params[name] for name in sorted(params)} for params in drawn]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Tell it.

        Raises:
            SearchError: It fails.
        """
        with self._blamed():
            self._searcher.tell(records)

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Around its code: an error there is told with its place, and as none of ours."""
        try:
            yield
        except MlopsRayError:
            raise
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {failure_message(error)}"
            got = f"{told}, at {Path(at.filename).name}:{at.lineno}"
            raise SearchError(f"the searcher {self._name!r} failed", got) from error


def _is_params(drawn: object) -> bool:
    return isinstance(drawn, dict) and all(
        isinstance(name, str) and isinstance(value, str | int | float | None)
        for name, value in drawn.items()
    )


def _in_words(drawn: object) -> str:
    if not isinstance(drawn, list):
        return type(drawn).__name__
    strange = [params for params in drawn if not _is_params(params)]
    if not strange:
        return f"{len(drawn)} answers"
    if not isinstance(strange[0], dict):
        return f"an answer of type {type(strange[0]).__name__}"
    return "values of types " + ", ".join(type(value).__name__ for value in strange[0].values())
