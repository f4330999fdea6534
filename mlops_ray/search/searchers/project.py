"""A searcher of the project's own, of the captured code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from mlops_ray.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        SearchError: There is no such class.
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
        self._searcher: Searcher = make(space, seed=seed, mode=mode)

    @property
    def learns(self) -> bool:
        """What the class says of itself."""
        return bool(self._searcher.learns)

    def ask(self, first: int, n: int) -> list[dict[str, Any]]:
        """Its trials, sorted by name in each.

        Raises:
            SearchError: They are too few, too many, or no parameters.
        """
        drawn = self._searcher.ask(first, n)
        if len(drawn) != n or not all(isinstance(params, dict) for params in drawn):
            raise SearchError(
                f"the searcher {self._name!r} did not give what it was asked for",
                f"{len(drawn)} answers" if len(drawn) != n else "answers that are no dicts",
                f"a list of {n} dicts of parameters",
            )
        return [{name: params[name] for name in sorted(params)} for params in drawn]

    def tell(self, records: Sequence[TrialRecord]) -> None:
        """Tell it."""
        self._searcher.tell(records)
