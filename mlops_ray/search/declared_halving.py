"""The halving that a pipeline file declares, beside the estimator whose rounds it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mlops_ray.errors import SearchError
from mlops_ray.models.families import family_named
from mlops_ray.search.halving import Halving, rungs_up_to

if TYPE_CHECKING:
    from mlops_ray.config.model import ModelConfig, SearchConfig, Task

__all__ = ["declared_halving"]


def declared_halving(
    search: SearchConfig, model: ModelConfig, task: Task, mode: Literal["max", "min"]
) -> Halving | None:
    """How trials are cut down; None where nothing is declared.

    Raises:
        SearchError: The estimator has no rounds, the space draws them, or there are too few of them
            or too few trials.
    """
    declared = search.halving
    if declared is None:
        return None
    family = family_named(model.family_name)
    rounds = family.rounds
    if rounds is None:
        raise SearchError(
            f"{model.family_name} does not fit in rounds, so its trials cannot be halved",
            hint="leave 'search.halving' out, or take another 'model.family'",
        )
    if rounds in search.space:
        raise SearchError(
            f"halving counts {rounds}, which the search space draws",
            hint="fix it in 'model.params', and leave it out of 'search.space'",
        )
    n_rounds = int(str(family.resolve_params(model.params, task)[rounds]))
    rungs = rungs_up_to(n_rounds, declared.min_rounds, declared.eta)
    if declared.brackets > len(rungs):
        raise SearchError(
            "halving has fewer rungs than brackets",
            f"brackets: {declared.brackets}, rungs at {', '.join(map(str, rungs))} rounds",
            f"at most {len(rungs)}",
        )
    return Halving(rungs, declared.eta, declared.brackets, mode)
