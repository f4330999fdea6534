"""The searcher that a pipeline file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mlops_ray.search.searchers.grid import GridSearcher
from mlops_ray.search.searchers.project import ProjectSearcher
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.searchers.sobol import SobolSearcher

if TYPE_CHECKING:
    from mlops_ray.config.search import SearchConfig
    from mlops_ray.search.agenda import Searcher

__all__ = ["declared_searcher"]


def declared_searcher(search: SearchConfig, seed: int, mode: Literal["max", "min"]) -> Searcher:
    """Make the searcher.

    Args:
        search: What was declared.
        seed: Seed of the search.
        mode: The direction that is better.

    Raises:
        SearchError: The project has no such class.
    """
    if search.searcher in {"tpe", "cma_es"}:
        # Imported here: Optuna is an extra.
        from mlops_ray.search.searchers.optuna import OptunaSearcher  # noqa: PLC0415

        sampler: Literal["tpe", "cma_es"] = "tpe" if search.searcher == "tpe" else "cma_es"
        return OptunaSearcher(search.space, seed, mode, sampler)
    if search.searcher == "grid":
        return GridSearcher(search.space)
    if search.searcher == "sobol":
        return SobolSearcher(search.space, search.trials, seed)
    if search.searcher == "random":
        return RandomSearcher(search.space, seed)
    return ProjectSearcher(search.searcher, search.space, seed, mode)
