"""Searches that cannot be made: contradictions between space, searcher and number of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.config.search import MIN_SHARE
from mlops_ray.config.space_points import condition_mistakes, grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.config.search import SearchConfig

__all__ = ["search_contradictions"]

_Contradiction = tuple[tuple[str | int, ...], str, str]


def search_contradictions(search: SearchConfig) -> Iterator[_Contradiction]:
    """Each contradiction as the path of the key to change, what is wrong, and the way out."""
    conditions = condition_mistakes(search.space)
    for name, (what, hint) in conditions.items():
        yield ("search", "space", name, "when"), what, hint
    if not search.space and search.trials > 1:
        yield (
            ("search", "trials"),
            f"{search.trials} trials of an empty search space would all be the same",
            "declare 'search.space' or set trials to 1",
        )
    if search.searcher == "grid" and not conditions:
        yield from _impossible_grid(search)
    if search.halving is not None and search.generation < search.halving.eta:
        what = f"of a generation of {search.generation} none could be cut short"
        hint = f"set it to {search.halving.eta} or more; trials of a generation are compared"
        yield ("search", "generation"), what, hint
    yield from _halved_by_the_other(search)
    patience = search.patience
    if patience is not None and patience.rounds < patience.every:
        yield (
            ("search", "patience", "rounds"),
            f"patience of {patience.rounds} rounds ends before the next look, {patience.every} on",
            f"set it to {patience.every} or more, or look more often with 'search.patience.every'",
        )
    if search.warm_start is not None and not search.learns:
        yield (
            ("search", "warm_start"),
            f"the searcher {search.searcher!r} learns from no result",
            "leave it out, or take the searcher tpe or cma_es",
        )


def _halved_by_the_other(search: SearchConfig) -> Iterator[_Contradiction]:
    """What is said of rungs that count something else."""
    halving = search.halving
    if halving is None:
        return
    if halving.by == "data_share" and halving.min_rounds > 1:
        what = "rungs by 'data_share' count no rounds"
        yield ("search", "halving", "min_rounds"), what, "declare 'min_share', or 'by: rounds'"
    if halving.by == "rounds" and halving.min_share != MIN_SHARE:
        what = "rungs by 'rounds' are no share of the training rows"
        yield ("search", "halving", "min_share"), what, "declare 'by: data_share', or 'min_rounds'"


def _impossible_grid(search: SearchConfig) -> Iterator[_Contradiction]:
    try:
        n_points = len(grid(search.space))
    except ValueError as error:
        yield ("search", "searcher"), f"there is no grid: {error}", "or take another searcher"
        return
    if search.trials != n_points:
        what = f"the grid has {n_points} points, and {search.trials} trials are declared"
        yield ("search", "trials"), what, f"set trials to {n_points}"
